from xval.base.item_word import call_items


def test_an_item_is_called_by_its_word_and_names_of_options_stay():
    text = "Items of one item: --item-pattern, item_name, a column item, 2 items."
    assert call_items(text, "actor") == "Actors of one actor: --item-pattern, item_name, a column item, 2 actors."
    assert call_items(text, "") == text
