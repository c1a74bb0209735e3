"""`check_export`, for tests of users."""

import pytest

from keras_masking.errors import NotMeasuredError
from keras_masking.exporting import ExportCheckError
from keras_masking.exporting import check_export
from keras_masking.exporting import formats
from tests.exporting.models import MODELS
from tests.exporting.test_export import FORMAT
from tests.exporting.test_export import LACKING
from tests.exporting.test_export import drawing
from tests.helpers import BACKEND


def test_a_model_that_is_right() -> None:
    report = check_export(MODELS["m1"](), FORMAT)
    assert report.ok and list(report.reports) == [FORMAT]
    assert f"right    {FORMAT}: at most" in str(report)
    assert report.reports[FORMAT].path is None
    assert "(not kept)" in str(report.reports[FORMAT])


def test_a_model_that_is_wrong() -> None:
    with pytest.raises(ExportCheckError) as caught:
        check_export(drawing(), [FORMAT])
    assert isinstance(caught.value, AssertionError)
    assert f"not right {FORMAT}" in str(caught.value)
    assert "'drawing'" in str(caught.value)


def test_formats_that_cannot_be_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ValueError, match=f"has no format '{LACKING}'"):
        check_export(MODELS["m1"](), [FORMAT, LACKING])
    found = formats.FORMATS[FORMAT]
    needs = {BACKEND: (("no_writer",), (), "export-some")}
    only = {FORMAT: found._replace(needs=needs)}
    monkeypatch.setattr(formats, "FORMATS", only)
    with pytest.raises(ImportError, match="'no_writer'"):
        check_export(MODELS["m1"](), FORMAT)
    with pytest.raises(NotMeasuredError, match="packages installed"):
        check_export(MODELS["m1"]())
