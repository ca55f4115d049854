"""What others import and an agent does not need is not loaded before it is used."""

import subprocess
import sys

SMALL = """
import sys
import jidget.app
print(sorted({"_bz2", "_csv", "_lzma"} & set(sys.modules)))
import bz2, csv, locale, lzma
from csv import reader
print(lzma.decompress(lzma.compress(bz2.decompress(bz2.compress(b"all there")))), next(reader(["a,b"])))
print(locale.getpreferredencoding() == locale.getpreferredencoding(False), csv.QUOTE_ALL)
"""


def test_an_agent_does_without_what_it_does_not_use_and_others_find_it_all() -> None:
    done = subprocess.run([sys.executable, "-c", SMALL], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines() == ["[]", "b'all there' ['a', 'b']", "True 1"]
