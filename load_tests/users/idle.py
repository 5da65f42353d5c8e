"""A person with the page open in the background."""

from load_tests.users.hub_user import HubUser, action


class IdleUser(HubUser):
    """Is connected, answers heartbeats, and now and then closes the laptop and comes back with a new token."""

    weight = 5
    every_s = 60.0

    @action()
    def come_back(self, due_s: float) -> None:
        """Disconnect and connect anew."""
        self.reconnect()
