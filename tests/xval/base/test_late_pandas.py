"""pandas comes when something of it is asked for, not before."""

import subprocess
import sys


def test_pandas_is_imported_where_it_is_first_used() -> None:
    code = (
        "import sys; from xval.base.late_pandas import pd; before = 'pandas' in sys.modules\n"
        "table = pd.DataFrame({'a': [1]}); import pandas; print(before, type(table) is pandas.DataFrame)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["False", "True"]
