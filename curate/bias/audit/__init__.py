"""What tells sources apart without a look at what they show."""

from curate.bias.audit.audit import nuisance_audit as nuisance_audit
from curate.bias.audit.result import Audit as Audit
from curate.bias.audit.result import Equalised as Equalised
from curate.bias.audit.shortcut import CAUSES as CAUSES
from curate.bias.audit.shortcut import Shortcut as Shortcut
