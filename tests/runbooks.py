"""The product's runbooks, one catalog for all tests of a process.

Checking a runbook takes half a second of CPU. A process of tests does it once; the programs that it starts find the checked ones in
its cache folder, as those of a person do from the second run on.
"""

from triagebook.tools.diagnosis import setup
from triagebook.tools.settings import Settings, read_settings

CATALOG = setup.runbooks(Settings(cache=read_settings().cache))
