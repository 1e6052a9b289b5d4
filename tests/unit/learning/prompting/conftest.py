import pytest

from tests.support.prompt_material import material


@pytest.fixture
def tiny(tmp_path):
    return material(tmp_path)
