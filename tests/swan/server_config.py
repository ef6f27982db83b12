"""A user's server as SWAN configures it: the home is the root, or in JupyterLab all of EOS is."""

import os
import pathlib

c = get_config()  # noqa: F821

home = pathlib.Path(os.environ["HOME"])
if os.environ.get("SWAN_USE_JUPYTERLAB") == "true":
    # NBC_SWAN_DIR/eos/user/a/alice
    c.ServerApp.root_dir = str(home.parents[2])
    c.FileContentsManager.preferred_dir = str(home)
else:
    c.ServerApp.root_dir = str(home)
c.ServerApp.contents_manager_class = "swancontents.filemanager.SwanEosFileManager"
c.FileContentsManager.always_delete_dir = True
