"""A SWAN on this machine: SwanHub with SwanSpawner and KeyCloakAuthenticator, as CERN's chart sets them.

Everything it needs comes from the environment and everything it writes lies below NBC_SWAN_DIR. Users'
servers are processes of this user, with homes where EOS would be: NBC_SWAN_DIR/eos/user/a/alice.
"""

import asyncio
import os
import pathlib
import time

from jupyterhub.spawner import SimpleLocalProcessSpawner
from swanspawner.swanspawner import define_SwanSpawner_from

c = get_config()  # noqa: F821

here = pathlib.Path(os.environ["NBC_SWAN_HERE"])
root = pathlib.Path(os.environ["NBC_SWAN_DIR"])
url = os.environ["NBC_SWAN_URL"]
home = f"{root}/eos/user/{{username[0]}}/{{username}}/"
jupyter = root / "jupyter"
jupyter.mkdir(exist_ok=True)
server_config = jupyter / "jupyter_server_config.py"
if not server_config.exists():
    server_config.symlink_to(here / "server_config.py")


class StrictLocal(define_SwanSpawner_from(SimpleLocalProcessSpawner)):
    """Takes options as strictly as SWAN on Kubernetes does, which assigns them to limits of a pod.

    Fails or waits as the file `script/USER` says: `fail N` fails N times, `slow SECONDS` waits once.
    The file `starts` tells of every start.
    """

    def get_env(self):
        made = super().get_env()
        os.makedirs(made["HOME"], exist_ok=True)
        return {name: str(value) for name, value in made.items()}

    async def start(self):
        self.note("begins")
        try:
            self.cpu_limit = self.user_options["cores"]
            self.mem_limit = self.user_options["memory"]
            self.mem_guarantee = self.mem_limit // 2
            # Its pods have a hook that looks for one, whatever was chosen.
            self.log.info("GPU: %s", self.user_options["gpu"])
            await self.obey()
            address = await super().start()
        except BaseException:
            self.note("fails")
            raise
        self.note("runs")
        return address

    async def obey(self):
        script = root / "script" / self.user.name
        word, _, number = (script.read_text() if script.exists() else "").partition(" ")
        if word == "fail" and int(number) > 0:
            script.write_text(f"fail {int(number) - 1}")
            raise RuntimeError("no room on the cluster today")
        if word == "slow":
            script.unlink()
            await asyncio.sleep(int(number))

    def note(self, what):
        with open(root / "starts", "a") as starts:
            starts.write(f"{what} {self.user.name} {time.time()}\n")


def before_spawn(authenticator, spawner, auth_state):
    """What CERN's hook takes from the login: without it there is no server."""
    spawner.environment["ACCESS_TOKEN"] = auth_state["exchanged_tokens"]["eos-service"]
    spawner.user_uid = str(auth_state["oauth_user"]["cern_uid"])


hub = c.JupyterHub
hub.bind_url = url
hub.hub_bind_url = f"http://127.0.0.1:{os.environ['NBC_SWAN_INTERNAL_PORT']}"
hub.db_url = f"sqlite:///{root}/hub.sqlite"
hub.cookie_secret_file = str(root / "cookie_secret")
hub.spawner_class = StrictLocal
hub.allow_named_servers = False
hub.cleanup_servers = False
hub.cleanup_proxy = False
hub.last_activity_interval = 5
# Seconds; half a minute elsewhere.
hub.activity_resolution = 1
hub.tornado_settings = {"slow_spawn_timeout": 15}
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{os.environ['NBC_SWAN_PROXY_PORT']}"
c.SpawnHandlersConfigs.metrics_on = False
c.SpawnHandlersConfigs.maintenance_file = str(root / "nologin")

sso = c.KeyCloakAuthenticator
hub.authenticator_class = "keycloakauthenticator.KeyCloakAuthenticator"
sso.oidc_issuer = os.environ["NBC_SWAN_ISSUER"]
sso.client_id = "swan"
sso.client_secret = os.environ["NBC_SWAN_SECRET"]
sso.oauth_callback_url = f"{url}/hub/oauth_callback"
sso.scope = ["profile", "email", "offline_access", "openid"]
sso.exchange_tokens = ["eos-service", "cernbox-service", "kubeflow-ml"]
sso.username_claim = "preferred_username"
sso.allow_all = True
sso.allowed_roles = ["swan-user"]
sso.auto_login = os.environ.get("NBC_SWAN_AUTO_LOGIN") == "1"
sso.auth_refresh_age = int(os.environ.get("NBC_SWAN_REFRESH_AGE", "6600"))
sso.refresh_pre_spawn = False
sso.pre_spawn_hook = before_spawn

spawn = c.StrictLocal
spawn.options_form_config = str(here / "options.yaml")
spawn.eos_path_format = home
spawn.home_dir_template = home
# What a user may not write to, root may not either.
powerless = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] if os.geteuid() == 0 else []
spawn.cmd = [*powerless, os.environ["NBC_SWAN_SINGLEUSER"]]
spawn.args = ["--allow-root"] if os.geteuid() == 0 else []
spawn.environment = {
    "JUPYTER_CONFIG_DIR": str(jupyter),
    "JUPYTER_DATA_DIR": str(root / "data"),
    "JUPYTER_RUNTIME_DIR": str(root / "runtime"),
}
spawn.start_timeout = 120
spawn.http_timeout = 120
spawn.consecutive_failure_limit = 0
spawn.poll_interval = 5

# Beside the roles that SwanHub has: one for the tests, one for SWAN's culler.
rights = {
    "strong": ["admin:users", "admin:servers", "tokens", "access:servers"],
    "culler": ["list:users", "read:users:activity", "read:servers", "delete:servers", "admin:users"],
}
for name, scopes in rights.items():
    hub.load_roles.append({"name": name, "scopes": scopes, "services": [name]})
hub.services = [{"name": name, "api_token": os.environ[f"NBC_SWAN_TOKEN_{name.upper()}"]} for name in rights]
