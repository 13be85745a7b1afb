"""The names that `--method` knows; imports nothing, so that `ribsight --help` is quick."""

from typing import Literal, get_args

MethodName = Literal[
    "regions_only",
    "supervised",
    "pi_model",
    "temporal_ensembling",
    "mean_teacher_unlabelled",
    "mean_teacher",
    "distillation",
    "pseudo_labels",
    "fixmatch",
    "temperature",
    "asymmetric",
    "adaptive",
    "aals",
    "multiple_instance",
    "log_sum_exp",
    "noisy_or",
    "patches",
    "pcam",
    "cam",
    "ribsight",
]
METHODS: tuple[MethodName, ...] = get_args(MethodName)
