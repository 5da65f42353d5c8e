"""The limits of everything that declares one, as they declare them and the operator changes them."""

from collections.abc import Sequence
from dataclasses import replace

from hub.config import ConfigError
from hub.features.core import Core
from hub.gate.limit_rules import UnknownName, changed, rules
from hub.gate.limits import SharedLimits
from hub.gate.rate_limits import RedisLedger
from hub.kernel.events import EventRouter
from hub.kernel.http import RestApi
from hub.kernel.limited import Limited
from hub.kernel.limits import Declared


def limits(core: Core, apis: Sequence[RestApi], router: EventRouter, limited: Sequence[Limited]) -> SharedLimits:
    """The limits of everything that is declared.

    The operator's changes are made to the declarations, so that the node's own documents show them. Raises ConfigError
    if the settings name what is not declared.
    """
    settings = core.settings
    declared = {name: Declared(route.limit) for name, route in router.routes.items()}
    for endpoint in (endpoint for api in apis for endpoint in api.endpoints):
        declared[endpoint.name] = Declared(endpoint.limit, of_addresses=endpoint.caller == "none")
    for one in limited:
        declared |= one.declared
    try:
        declared = changed(declared, settings.limits.changes())
    except UnknownName as error:
        raise ConfigError(f"SPARKLE_LIMITS_OVERRIDES: {error}") from None
    for name, route in router.routes.items():
        router.routes[name] = replace(route, limit=declared[name].limit)
    for api in apis:
        api.endpoints[:] = [replace(endpoint, limit=declared[endpoint.name].limit) for endpoint in api.endpoints]
    made = SharedLimits(
        rules(declared, address_users=settings.limits.address_users),
        RedisLedger(core.redis),
        uncapped=settings.sockets.uncapped_addresses,
    )
    for one in limited:
        one.declared.update({name: declared[name] for name in one.declared})
        one.kept_by = made
    return made
