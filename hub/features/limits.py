"""The limits of all events and routes, as they declare them and the operator changes them."""

from collections.abc import Sequence
from dataclasses import replace

from hub.config import ConfigError
from hub.features.core import Core
from hub.gate.limit_rules import Declared, UnknownName, changed, rules
from hub.gate.limits import SharedLimits
from hub.gate.rate_limits import RedisLedger
from hub.kernel.events import EventRouter
from hub.kernel.http import RestApi


def limits(core: Core, apis: Sequence[RestApi], router: EventRouter) -> SharedLimits:
    """The limits of everything that is declared.

    The operator's changes are made to the declarations, so that the node's own documents show them. Raises ConfigError
    if the settings name what is not declared.
    """
    settings = core.settings
    declared = {name: Declared(route.limit) for name, route in router.routes.items()}
    for endpoint in (endpoint for api in apis for endpoint in api.endpoints):
        declared[endpoint.name] = Declared(endpoint.limit, of_addresses=endpoint.caller == "none")
    try:
        declared = changed(declared, settings.limits.changes())
    except UnknownName as error:
        raise ConfigError(f"SPARKLE_LIMITS_OVERRIDES: {error}") from None
    for name, route in router.routes.items():
        router.routes[name] = replace(route, limit=declared[name].limit)
    for api in apis:
        api.endpoints[:] = [replace(endpoint, limit=declared[endpoint.name].limit) for endpoint in api.endpoints]
    return SharedLimits(
        rules(declared, address_users=settings.limits.address_users),
        RedisLedger(core.redis),
        uncapped=settings.sockets.uncapped_addresses,
    )
