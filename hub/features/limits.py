"""The limits of all events and routes, as they declare them and the operator changes them."""

from collections.abc import Iterable

from core_api.accounts.model import limited_address
from hub.config import ConfigError
from hub.features.core import Core
from hub.gate.limits import Declared, SharedLimits, UnknownName, rules
from hub.gate.rate_limits import RedisLedger
from hub.kernel.events import EventRouter
from hub.kernel.http import RestApi


def limits(core: Core, apis: Iterable[RestApi], router: EventRouter) -> SharedLimits:
    """The limits of everything that is declared. Raises ConfigError if the settings name what is not."""
    settings = core.settings
    declared = {name: Declared(route.limit) for name, route in router.routes.items()}
    for api in apis:
        for endpoint in api.endpoints:
            declared[endpoint.name] = Declared(endpoint.limit, of_addresses=endpoint.caller == "none")
    try:
        changed = rules(declared, settings.limits.changes(), address_users=settings.limits.address_users)
    except UnknownName as error:
        raise ConfigError(f"SPARKLE_LIMITS_OVERRIDES: {error}") from None
    ledger = RedisLedger(core.redis)
    return SharedLimits(changed, ledger, counted=limited_address, uncapped=settings.sockets.uncapped_addresses)
