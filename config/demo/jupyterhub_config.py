"""A JupyterHub on this machine, for `nbcourier demo --hub` and for the tests.

Everything it needs comes from the environment and everything it writes lies below NBC_HUB_DIR.
"""

import os
import pathlib
import secrets

from jupyterhub.auth import DummyAuthenticator
from jupyterhub.spawner import SimpleLocalProcessSpawner

c = get_config()  # noqa: F821

root = pathlib.Path(os.environ["NBC_HUB_DIR"])
users = os.environ["NBC_HUB_USERS"].split(",")
port = int(os.environ["NBC_HUB_PORT"])
internal = int(os.environ["NBC_HUB_INTERNAL_PORT"])
proxy = int(os.environ["NBC_HUB_PROXY_PORT"])


class HomeSpawner(SimpleLocalProcessSpawner):
    """Runs each user's server as this process's user, in a home of its own."""

    def make_preexec_fn(self, name):
        home = self.home_dir
        os.makedirs(home, exist_ok=True)
        return lambda: os.chdir(home)


c.JupyterHub.bind_url = f"http://127.0.0.1:{port}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{internal}"
c.JupyterHub.db_url = f"sqlite:///{root}/hub.sqlite"
c.JupyterHub.cookie_secret_file = str(root / "cookie_secret")
c.JupyterHub.authenticator_class = DummyAuthenticator
c.JupyterHub.spawner_class = HomeSpawner
c.Authenticator.allowed_users = set(users)
c.DummyAuthenticator.password = os.environ["NBC_HUB_PASSWORD"]
c.HomeSpawner.home_dir_template = str(root / "home" / "{username}")
c.HomeSpawner.args = ["--allow-root"] if os.geteuid() == 0 else []
c.HomeSpawner.environment = {"JUPYTER_CONFIG_DIR": str(root / "jupyter")}

c.ConfigurableHTTPProxy.command = os.environ["NBC_HUB_PROXY"].split("\n")
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{proxy}"
c.ConfigurableHTTPProxy.auth_token = os.environ.get("CONFIGPROXY_AUTH_TOKEN") or secrets.token_hex(16)
c.ConfigurableHTTPProxy.pid_file = str(root / "proxy.pid")

# What nbcourier needs, and no more.
c.JupyterHub.load_roles = [
    {
        "name": "nbcourier",
        "scopes": [
            f"{scope}!user={user}"
            for user in users
            for scope in ("access:servers", "read:servers", "start:servers", "delete:servers")
        ],
        "services": ["nbcourier"],
    },
]
c.JupyterHub.services = [{"name": "nbcourier", "api_token": os.environ["NBC_HUB_TOKEN"]}]
