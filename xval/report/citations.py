"""The sources that the protocol of an experiment cites, as BibTeX.

Comes in: sentences that cite, as ``Holm, 1979``. Goes out: BibTeX entries.
"""

from collections.abc import Sequence

_BIBTEX = {
    "Chollet et al., 2015": """@misc{chollet2015keras,
  title = {Keras}, author = {Chollet, Fran\\c{c}ois and others}, year = {2015}, howpublished = {\\url{https://keras.io}}
}""",
    "Pedregosa et al., 2011": """@article{pedregosa2011scikit,
  title = {Scikit-learn: Machine Learning in {P}ython}, author = {Pedregosa, Fabian and others},
  journal = {Journal of Machine Learning Research}, volume = {12}, pages = {2825--2830}, year = {2011}
}""",
    "Nadeau & Bengio, 2003": """@article{nadeau2003inference,
  title = {Inference for the Generalization Error}, author = {Nadeau, Claude and Bengio, Yoshua},
  journal = {Machine Learning}, volume = {52}, pages = {239--281}, year = {2003}
}""",
    "Holm, 1979": """@article{holm1979simple,
  title = {A Simple Sequentially Rejective Multiple Test Procedure}, author = {Holm, Sture},
  journal = {Scandinavian Journal of Statistics}, volume = {6}, number = {2}, pages = {65--70}, year = {1979}
}""",
    "Cochran, 1964": """@article{cochran1964approximate,
  title = {Approximate Significance Levels of the {Behrens-Fisher} Test}, author = {Cochran, William G.},
  journal = {Biometrics}, volume = {20}, number = {1}, pages = {191--195}, year = {1964}
}""",
    "Schuirmann, 1987": """@article{schuirmann1987comparison,
  title = {A Comparison of the Two One-sided Tests Procedure and the Power Approach for Assessing the Equivalence of Average
    Bioavailability}, author = {Schuirmann, Donald J.}, journal = {Journal of Pharmacokinetics and Biopharmaceutics},
  volume = {15}, pages = {657--680}, year = {1987}
}""",
    "Efron & Stein, 1981": """@article{efron1981jackknife,
  title = {The Jackknife Estimate of Variance}, author = {Efron, Bradley and Stein, Charles},
  journal = {The Annals of Statistics}, volume = {9}, number = {3}, pages = {586--596}, year = {1981}
}""",
    "Satterthwaite, 1946": """@article{satterthwaite1946approximate,
  title = {An Approximate Distribution of Estimates of Variance Components}, author = {Satterthwaite, Franklin E.},
  journal = {Biometrics Bulletin}, volume = {2}, number = {6}, pages = {110--114}, year = {1946}
}""",
    "Kish, 1965": """@book{kish1965survey,
  title = {Survey Sampling}, author = {Kish, Leslie}, publisher = {Wiley}, address = {New York}, year = {1965}
}""",
    "Efron, 1987": """@article{efron1987better,
  title = {Better Bootstrap Confidence Intervals}, author = {Efron, Bradley},
  journal = {Journal of the American Statistical Association}, volume = {82}, number = {397}, pages = {171--185}, year = {1987}
}""",
    "Kapoor & Narayanan, 2023": """@article{kapoor2023leakage,
  title = {Leakage and the Reproducibility Crisis in Machine-learning-based Science},
  author = {Kapoor, Sayash and Narayanan, Arvind},
  journal = {Patterns}, volume = {4}, number = {9}, pages = {100804}, year = {2023}
}""",
    "Kapoor et al., 2024": """@article{kapoor2024reforms,
  title = {{REFORMS}: Consensus-based Recommendations for Machine-learning-based Science}, author = {Kapoor, Sayash and others},
  journal = {Science Advances}, volume = {10}, number = {18}, pages = {eadk3452}, year = {2024}
}""",
    "Varma & Simon, 2006": """@article{varma2006bias,
  title = {Bias in Error Estimation When Using Cross-validation for Model Selection},
  author = {Varma, Sudhir and Simon, Richard},
  journal = {BMC Bioinformatics}, volume = {7}, pages = {91}, year = {2006}
}""",
}


def bibtex(paragraphs: Sequence[str]) -> str:
    """Return the entries of what some paragraphs cite, as ``Holm, 1979``."""
    text = " ".join(paragraphs)
    return "\n".join(entry for citation, entry in _BIBTEX.items() if citation in text)
