"""Estimators in the manner of scikit-learn whose predictions are secure runs of both parties in this process."""
from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted

from . import _core
from .sklearn import export


class _Secure(BaseEstimator):
    """estimator: any that sdc.sklearn.export knows; a copy of it is fitted. scale, ring, options: of sdc.compile."""

    def __init__(self, estimator, scale=1024, ring=None, options=None):
        self.estimator = estimator
        self.scale = scale
        self.ring = ring
        self.options = options

    def fit(self, X, y):
        """Fits a copy of the estimator in the clear, and compiles it for values in the range of X."""
        X = np.asarray(X, dtype=np.float32)
        self.estimator_ = clone(self.estimator).fit(X, y)
        self.n_features_in_ = X.shape[1]
        if hasattr(self.estimator_, "classes_"):
            self.classes_ = self.estimator_.classes_
        options = {"input_range": (float(X.min()), float(X.max())), **(self.options or {})}
        self.program_ = _core.compile(export(self.estimator_), scale=self.scale, ring=self.ring, **options)
        return self

    def _run(self, X):
        check_is_fitted(self, "program_")
        return self.program_.run_local(np.asarray(X, dtype=np.float32)).outputs


class SecureClassifier(ClassifierMixin, _Secure):
    """A classifier whose predictions are made by both parties on shares."""

    def predict(self, X):
        """The classes, [n]."""
        label = np.rint(self._run(X)["label"].reshape(len(X))).astype(np.int64)
        return label if np.issubdtype(np.asarray(self.classes_).dtype, np.integer) else self.classes_[label]

    def predict_proba(self, X):
        """What the model's `scores` are, [n, classes]: probabilities where the estimator has them."""
        return self._run(X)["scores"].reshape(len(X), -1)


class SecureRegressor(RegressorMixin, _Secure):
    """A regressor whose predictions are made by both parties on shares."""

    def predict(self, X):
        """The values, [n] or [n, targets]."""
        value = self._run(X)["value"].reshape(len(X), -1)
        return value[:, 0] if value.shape[1] == 1 else value
