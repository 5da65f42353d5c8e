"""What the staff does by REST."""

from core_api.accounts.staff import Staff
from core_api.administration.routes import administration_api
from core_api.administration.service import Administration
from hub.features.core import Core, Feature


def feature(core: Core, staff: Staff) -> Feature:
    """The API of the role `admin`."""
    return Feature(apis=[administration_api(Administration(core.operations, staff))])
