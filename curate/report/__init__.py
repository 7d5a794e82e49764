"""What a person looks at: the HTML report, its charts, and the summary for the terminal."""

from curate.report._inspect import Inspection as Inspection
from curate.report._inspect import inspect as inspect
from curate.report.charts.accuracy import accuracy_svg as accuracy_svg
from curate.report.charts.datamap import data_map_svg as data_map_svg
from curate.report.charts.histogram import forgetting_histogram_svg as forgetting_histogram_svg
from curate.report.charts.identification_charts import (
    identification_charts as identification_charts,
)
from curate.report.charts.removal import curve_svg as curve_svg
from curate.report.fragility import save_fragility as save_fragility
from curate.report.retest.accuracy_gap import save_retest as save_retest
from curate.report.retest.audit import save_audit as save_audit
from curate.report.retest.labelling import write_labelling_sheets as write_labelling_sheets
from curate.report.sources.folder import save_identification as save_identification
from curate.report.sources.identification import write_identification as write_identification
from curate.report.write import write_report as write_report
