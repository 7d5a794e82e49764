"""Does a classifier generalise to a fresh test set, and is the test set clean?"""

from curate.retest.agreement.accuracy_by_agreement import (
    accuracy_by_agreement as accuracy_by_agreement,
)
from curate.retest.agreement.result import AccuracyByAgreement as AccuracyByAgreement
from curate.retest.duplicates._near_duplicates import near_duplicates as near_duplicates
from curate.retest.duplicates.result import NearDuplicates as NearDuplicates
from curate.retest.duplicates.signals import SIGNALS as SIGNALS
from curate.retest.gap.accuracy_gap import accuracy_gap as accuracy_gap
from curate.retest.gap.predict import predict as predict
from curate.retest.gap.result import AccuracyGap as AccuracyGap
from curate.retest.matching.annotators import AnnotatorAgreement as AnnotatorAgreement
from curate.retest.matching.annotators import annotator_agreement as annotator_agreement
from curate.retest.matching.match import match as match
from curate.retest.matching.result import Matched as Matched
from curate.retest.matching.result import rematch as rematch
from curate.retest.matching.sizes import sample_sizes as sample_sizes
from curate.retest.parts.gap_parts import GapParts as GapParts
from curate.retest.parts.gap_parts import gap_parts as gap_parts
from curate.retest.planning.images_needed import images_needed as images_needed
from curate.retest.selection.result import SelectionCorrectedGap as SelectionCorrectedGap
from curate.retest.selection.selection_corrected_gap import (
    selection_corrected_gap as selection_corrected_gap,
)
from curate.retest.splits._audit_split import audit_split as audit_split
from curate.retest.splits.result import SplitAudit as SplitAudit
