"""What can go wrong in the laboratory. One tree:

LabError
├── NotAvailable   this machine cannot run it (no QEMU, no root, no sources): tests say so in one line and skip
├── NotStarted     a guest did not come up, or its channel is silent
└── NotProven      a fault was injected and the symptom is not the one the scenario promises
"""


class LabError(Exception):
    """Anything the laboratory cannot do; the message says what, where and why."""


class NotAvailable(LabError):
    """This machine lacks something that cannot be installed here."""


class NotStarted(LabError):
    """A guest did not start or does not answer."""


class NotProven(LabError):
    """The symptom seen in the guest is not the one promised."""
