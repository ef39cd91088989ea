from xval.base.item_word import call_items


def test_an_item_is_called_by_its_word_and_names_of_options_stay():
    text = "Items of one item: --item-pattern, item_name, a column item, 2 items."
    assert call_items(text, "actor") == "Actors of one actor: --item-pattern, item_name, a column item, 2 actors."
    assert call_items(text, "") == text


def test_the_article_follows_the_word():
    text = "An item, an item and the item."
    assert call_items(text, "speaker") == "A speaker, a speaker and the speaker."
    assert call_items("an\nitem", "unit") == "a\nunit"
    assert call_items("an item", "utterance") == "an utterance"
    assert call_items(text, "actor") == "An actor, an actor and the actor."
    assert call_items(text, "") == text
