"""Copies of a finished experiment that tests damage, and what the audit says of them."""

import json
import shutil

import pytest

from xval.audit import audit
from xval.results.folder import ExperimentFolder


class Copy:
    """A copy of a finished experiment, moved to another place, with a copy of its corpus."""

    def __init__(self, finished, folder):
        self.results, self.data = folder / "moved", folder / "data"
        shutil.copytree(finished.results, self.results)
        shutil.copytree(finished.folder / "data", self.data)
        self.corpus = self.data / "tones"

    def fold(self, instance=1, fold=1):
        return self.results / f"instance_{instance}" / f"fold_{fold}"

    def edit(self, path, change):
        """Let a function change the content of a JSON file in place, and return it."""
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))
        return content

    def record(self, instance=1, fold=1):
        return json.loads((self.fold(instance, fold) / "record.json").read_text())

    def audit(self):
        """Return the verdicts by their rules."""
        return {verdict.rule: verdict for verdict in audit(ExperimentFolder(self.results), self.data)}

    def only_failure(self):
        """Return the one rule that has failed, and its faults as one text.

        Where predictions were changed the figures fail, too.
        """
        failed = [verdict for verdict in self.audit().values() if verdict.state == "FAILED"]
        failed = [verdict for verdict in failed if verdict.rule != "figures"] or failed
        assert len(failed) == 1, [(verdict.rule, verdict.faults) for verdict in failed]
        return failed[0].rule, "\n".join(failed[0].faults)

    def faults_of_only(self, rule):
        """Return the faults of the only rule that has failed, which is this one."""
        failed, faults = self.only_failure()
        assert failed == rule
        return faults


@pytest.fixture
def copy(finished, tmp_path):
    return Copy(finished, tmp_path)
