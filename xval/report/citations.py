"""The references of an experiment's protocol as BibTeX, by their citation in sentences, such as ``Holm, 1979``.

The entries have the types and fields of BibTeX's own styles, and need no LaTeX package.
"""

import re
from collections.abc import Sequence

BACKENDS = {
    "tensorflow": "TensorFlow (Abadi et al., 2016)",
    "torch": "PyTorch (Paszke et al., 2019)",
    "jax": "JAX (Bradbury et al., 2018)",
}
"""The citations of the backends of Keras, by name."""
_VERSION = re.compile(r"\bxval (\d\w*(?:[.+]\w+)*)")

_BIBTEX = {
    "Chollet et al., 2015": r"""@misc{chollet2015keras,
  title = {Keras},
  author = {Chollet, Fran{\c{c}}ois and others},
  howpublished = {https://keras.io},
  year = {2015}
}""",
    "Abadi et al., 2016": r"""@inproceedings{abadi2016tensorflow,
  title = {{TensorFlow}: A System for Large-scale Machine Learning},
  author = {Abadi, Mart{\'i}n and others},
  booktitle = {12th USENIX Symposium on Operating Systems Design and Implementation},
  pages = {265--283},
  year = {2016}
}""",
    "Paszke et al., 2019": r"""@inproceedings{paszke2019pytorch,
  title = {{PyTorch}: An Imperative Style, High-performance Deep Learning Library},
  author = {Paszke, Adam and others},
  booktitle = {Advances in Neural Information Processing Systems 32},
  year = {2019}
}""",
    "Bradbury et al., 2018": r"""@misc{bradbury2018jax,
  title = {{JAX}: Composable Transformations of {Python+NumPy} Programs},
  author = {Bradbury, James and others},
  howpublished = {https://github.com/jax-ml/jax},
  year = {2018}
}""",
    "Pedregosa et al., 2011": r"""@article{pedregosa2011scikit,
  title = {Scikit-learn: Machine Learning in {P}ython},
  author = {Pedregosa, Fabian and others},
  journal = {Journal of Machine Learning Research},
  volume = {12},
  pages = {2825--2830},
  year = {2011}
}""",
    "Akiba et al., 2019": r"""@inproceedings{akiba2019optuna,
  title = {{Optuna}: A Next-generation Hyperparameter Optimization Framework},
  author = {Akiba, Takuya and Sano, Shotaro and Yanase, Toshihiko and Ohta, Takeru and Koyama, Masanori},
  booktitle = {Proceedings of the 25th ACM SIGKDD International Conference on Knowledge Discovery and Data Mining},
  pages = {2623--2631},
  year = {2019}
}""",
    "Kingma & Ba, 2015": r"""@inproceedings{kingma2015adam,
  title = {{Adam}: A Method for Stochastic Optimization},
  author = {Kingma, Diederik P. and Ba, Jimmy},
  booktitle = {3rd International Conference on Learning Representations},
  year = {2015}
}""",
    "Park et al., 2019": r"""@inproceedings{park2019specaugment,
  title = {{SpecAugment}: A Simple Data Augmentation Method for Automatic Speech Recognition},
  author = {Park, Daniel S. and Chan, William and Zhang, Yu and Chiu, Chung-Cheng and Zoph, Barret and Cubuk, Ekin D. and
    Le, Quoc V.},
  booktitle = {Interspeech},
  pages = {2613--2617},
  year = {2019}
}""",
    "Zhang et al., 2018": r"""@inproceedings{zhang2018mixup,
  title = {mixup: Beyond Empirical Risk Minimization},
  author = {Zhang, Hongyi and Cisse, Moustapha and Dauphin, Yann N. and Lopez-Paz, David},
  booktitle = {6th International Conference on Learning Representations},
  year = {2018}
}""",
    "Jaitly & Hinton, 2013": r"""@inproceedings{jaitly2013vocal,
  title = {Vocal Tract Length Perturbation ({VTLP}) Improves Speech Recognition},
  author = {Jaitly, Navdeep and Hinton, Geoffrey E.},
  booktitle = {ICML Workshop on Deep Learning for Audio, Speech and Language},
  year = {2013}
}""",
    "Nam et al., 2022": r"""@inproceedings{nam2022filteraugment,
  title = {{FilterAugment}: An Acoustic Environmental Data Augmentation Method},
  author = {Nam, Hyeonuk and Kim, Seong-Hu and Park, Yong-Hwa},
  booktitle = {IEEE International Conference on Acoustics, Speech and Signal Processing},
  pages = {4308--4312},
  year = {2022}
}""",
    "Guo et al., 2017": r"""@inproceedings{guo2017calibration,
  title = {On Calibration of Modern Neural Networks},
  author = {Guo, Chuan and Pleiss, Geoff and Sun, Yu and Weinberger, Kilian Q.},
  booktitle = {Proceedings of the 34th International Conference on Machine Learning},
  pages = {1321--1330},
  year = {2017}
}""",
    "Nadeau & Bengio, 2003": r"""@article{nadeau2003inference,
  title = {Inference for the Generalization Error},
  author = {Nadeau, Claude and Bengio, Yoshua},
  journal = {Machine Learning},
  volume = {52},
  number = {3},
  pages = {239--281},
  year = {2003}
}""",
    "Holm, 1979": r"""@article{holm1979simple,
  title = {A Simple Sequentially Rejective Multiple Test Procedure},
  author = {Holm, Sture},
  journal = {Scandinavian Journal of Statistics},
  volume = {6},
  number = {2},
  pages = {65--70},
  year = {1979}
}""",
    "Cochran, 1964": r"""@article{cochran1964approximate,
  title = {Approximate Significance Levels of the {Behrens--Fisher} Test},
  author = {Cochran, William G.},
  journal = {Biometrics},
  volume = {20},
  number = {1},
  pages = {191--195},
  year = {1964}
}""",
    "Schuirmann, 1987": r"""@article{schuirmann1987comparison,
  title = {A Comparison of the Two One-sided Tests Procedure and the Power Approach for Assessing the Equivalence of Average
    Bioavailability},
  author = {Schuirmann, Donald J.},
  journal = {Journal of Pharmacokinetics and Biopharmaceutics},
  volume = {15},
  number = {6},
  pages = {657--680},
  year = {1987}
}""",
    "Efron & Stein, 1981": r"""@article{efron1981jackknife,
  title = {The Jackknife Estimate of Variance},
  author = {Efron, Bradley and Stein, Charles},
  journal = {The Annals of Statistics},
  volume = {9},
  number = {3},
  pages = {586--596},
  year = {1981}
}""",
    "Satterthwaite, 1946": r"""@article{satterthwaite1946approximate,
  title = {An Approximate Distribution of Estimates of Variance Components},
  author = {Satterthwaite, Franklin E.},
  journal = {Biometrics Bulletin},
  volume = {2},
  number = {6},
  pages = {110--114},
  year = {1946}
}""",
    "Kish, 1965": r"""@book{kish1965survey,
  title = {Survey Sampling},
  author = {Kish, Leslie},
  publisher = {Wiley},
  address = {New York},
  year = {1965}
}""",
    "Kapoor & Narayanan, 2023": r"""@article{kapoor2023leakage,
  title = {Leakage and the Reproducibility Crisis in Machine-learning-based Science},
  author = {Kapoor, Sayash and Narayanan, Arvind},
  journal = {Patterns},
  volume = {4},
  number = {9},
  pages = {100804},
  year = {2023}
}""",
    "Kapoor et al., 2024": r"""@article{kapoor2024reforms,
  title = {{REFORMS}: Consensus-based Recommendations for Machine-learning-based Science},
  author = {Kapoor, Sayash and others},
  journal = {Science Advances},
  volume = {10},
  number = {18},
  pages = {eadk3452},
  year = {2024}
}""",
    "Varma & Simon, 2006": r"""@article{varma2006bias,
  title = {Bias in Error Estimation When Using Cross-validation for Model Selection},
  author = {Varma, Sudhir and Simon, Richard},
  journal = {BMC Bioinformatics},
  volume = {7},
  pages = {91},
  year = {2006}
}""",
}


def bibtex(paragraphs: Sequence[str]) -> str:
    """Return the entries of the citations in some paragraphs, such as ``Holm, 1979``; the first is xval, with its versions."""
    text = " ".join(paragraphs)
    entries = [entry for citation, entry in _BIBTEX.items() if citation in text]
    return "\n".join([_cite_xval(sorted(set(_VERSION.findall(text)))), *entries])


def _cite_xval(versions: Sequence[str]) -> str:
    """Return the entry of CITATION.cff; it has no year, because there is no release yet."""
    version = f",\n  note = {{Version {' and '.join(versions)}}}" if versions else ""
    return f"""@misc{{xval,
  title = {{xval: Cross-validated Deep-learning Experiments on Audio}},
  author = {{{{The xval authors}}}}{version}
}}"""
