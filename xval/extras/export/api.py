"""The names of this extra that other extras may import."""

from xval.extras.export.formats import find_format as find_format
from xval.extras.export.samples import check_samples as check_samples
from xval.extras.export.samples import clip_length as clip_length
from xval.extras.export.samples import output_columns as output_columns
from xval.extras.export.write import Export as Export
from xval.extras.export.write import export_model as export_model
from xval.extras.export.write import export_name as export_name
from xval.extras.export.write import find_model as find_model
