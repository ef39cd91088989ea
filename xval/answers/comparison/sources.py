"""The references of the methods of a comparison, by citation."""

SOURCES = {
    "Cochran, 1964": "Cochran, W. G. (1964). Approximate significance levels of the Behrens-Fisher test. Biometrics 20(1), "
    "191-195.",
    "Efron & Stein, 1981": "Efron, B. & Stein, C. (1981). The jackknife estimate of variance. The Annals of Statistics 9(3), "
    "586-596.",
    "Holm, 1979": "Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of "
    "Statistics 6, 65-70.",
    "Nadeau & Bengio, 2003": "Nadeau, C. & Bengio, Y. (2003). Inference for the generalization error. Machine Learning 52, "
    "239-281.",
    "Schuirmann, 1987": "Schuirmann, D. J. (1987). A comparison of the two one-sided tests procedure and the power "
    "approach for assessing the equivalence of average bioavailability. Journal of Pharmacokinetics and "
    "Biopharmaceutics 15, 657-680.",
    "Varma & Simon, 2006": "Varma, S. & Simon, R. (2006). Bias in error estimation when using cross-validation for model "
    "selection. BMC Bioinformatics 7, 91.",
}
