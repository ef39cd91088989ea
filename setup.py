"""What pyproject.toml cannot say: a wheel holds config.ini, which lies beside the packages, inside the package xval."""

from pathlib import Path
from shutil import copyfile

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithDefaults(build_py):
    """Copy config.ini into the package; an editable installation reads the one of the clone."""

    def run(self) -> None:
        """Build as always, and copy the file."""
        super().run()
        if not self.editable_mode:
            copyfile("config.ini", Path(self.build_lib) / "xval" / "config.ini")


setup(cmdclass={"build_py": BuildWithDefaults})
