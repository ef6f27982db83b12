"""The tests' hub: the demo's, with starts that follow a script and tokens of several kinds."""

import asyncio
import os
import pathlib
import time

here = pathlib.Path(os.environ["NBC_REPOSITORY"])
exec((here / "config/demo/jupyterhub_config.py").read_text())


class ScriptedSpawner(HomeSpawner):  # noqa: F821
    """Fails or waits as the file `script/USER` says: `fail N SECONDS` fails N times, after so many
    seconds each, `slow SECONDS` waits once. The file `starts` tells of every start."""

    async def start(self):
        self.note("begins")
        try:
            await self.obey()
            address = await super().start()
        except BaseException:
            self.note("fails")
            raise
        self.note("runs")
        return address

    async def obey(self):
        script = root / "script" / self.user.name  # noqa: F821
        words = script.read_text().split() if script.exists() else []
        word, number, seconds = words + ["", "0", "0"][len(words) :]
        if word == "fail":
            await asyncio.sleep(int(seconds))
            if int(number) > 0:
                script.write_text(f"fail {int(number) - 1} {seconds}")
                raise RuntimeError("no room on the cluster today")
        if word == "slow":
            script.unlink()
            await asyncio.sleep(int(number))

    def note(self, what):
        with open(root / "starts", "a") as starts:  # noqa: F821
            starts.write(f"{what} {self.user.name} {time.time()}\n")


c = get_config()  # noqa: F821
c.JupyterHub.spawner_class = ScriptedSpawner
c.ScriptedSpawner.home_dir_template = str(root / "home" / "{username}")  # noqa: F821
c.ScriptedSpawner.args = c.HomeSpawner.args
c.ScriptedSpawner.environment = c.HomeSpawner.environment
c.ScriptedSpawner.poll_interval = 5
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 3}
# The proxy and the users' servers outlive the hub, which may be down for a while.
c.ConfigurableHTTPProxy.should_start = False
c.JupyterHub.cleanup_servers = False
c.JupyterHub.cleanup_proxy = False
c.Authenticator.allowed_users |= {"carol"}


def role(name, scopes):
    c.JupyterHub.load_roles.append({"name": name, "scopes": scopes, "services": [name]})
    c.JupyterHub.services.append({"name": name, "api_token": os.environ[f"NBC_TOKEN_{name.upper()}"]})


role("strong", ["admin:users", "admin:servers", "tokens", "access:servers"])
role("blind", [f"{scope}!user={user}" for user in users for scope in ("read:servers", "start:servers")])  # noqa: F821

# What a test adds, such as the README's lines for administrators; the last of a name counts.
exec(os.environ.get("NBC_HUB_SNIPPET", ""))
for named in (c.JupyterHub.services, c.JupyterHub.load_roles):
    named[:] = {one["name"]: one for one in named}.values()
