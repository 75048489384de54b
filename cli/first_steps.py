"""What ``recoq up`` does between its children's start and its welcome: a first key, the demo models, a warm-up.

Each step is idempotent, so that a restart only checks.
"""

import time
from collections.abc import Callable
from pathlib import Path
from shlex import quote

import httpx

from cli.publish import publish_folder
from config.data_folder import KEY_FILE
from config.settings import Settings
from demo import DEMO_MODELS, IMAGES_FOLDER, MODELS_FOLDER
from store.accounts import Accounts
from store.database import Database

FIRST_ACCOUNT = "default"
WARM_UP_TIMEOUT_SECONDS = 120.0
POLL_SECONDS = 0.1


def first_key(settings: Settings) -> str:
    """Return an admin key of the first account that works, from the data folder or made now.

    The key lies in a file, because the database holds nothing but its hash.
    """
    path = key_file(settings)
    database = Database(settings.database_url)
    try:
        accounts = Accounts(database)
        if path.exists() and accounts.authenticate(key := path.read_text().strip()):
            return key
        key = accounts.create_key(FIRST_ACCOUNT, "admin")
    finally:
        database.close()
    path.write_text(key + "\n")
    return key


def publish_demo_models(settings: Settings, say: Callable[[str], None]) -> None:
    """Publish the demo models if they are new or have changed, and wait for their deployment."""
    for name in DEMO_MODELS:
        outcome = publish_folder(settings, MODELS_FOLDER / name, say=say)
        say(str(outcome))


def warm_up(settings: Settings, key: str) -> None:
    """Send an image to each demo model over HTTP and wait until it is answered.

    Raises:
        TimeoutError: if it is not within two minutes.
        RuntimeError: if the answer is an error.
    """
    deadline = time.monotonic() + WARM_UP_TIMEOUT_SECONDS
    image = example_image().read_bytes()
    with httpx.Client(
        base_url=f"{base_url(settings)}/v0.7", headers={"X-API-KEY": key}, trust_env=False, timeout=10
    ) as client:
        _wait_until_answering(client, deadline)
        for slug in DEMO_MODELS:
            files = {"inputs[0]image.source": ("warm-up.jpg", image)}
            response = client.post(f"/recognition/public/{slug}/inference", files=files).raise_for_status()
            _wait_for_success(client, response.json()["task_id"], deadline)


def _wait_until_answering(client: httpx.Client, deadline: float) -> None:
    while True:
        try:
            client.get("/accounts/me").raise_for_status()
        except httpx.TransportError as error:
            if time.monotonic() > deadline:
                raise TimeoutError("the API did not answer in time.") from error
            time.sleep(POLL_SECONDS)
        else:
            return


def _wait_for_success(client: httpx.Client, task_id: str, deadline: float) -> None:
    while (task := client.get(f"/tasks/{task_id}").raise_for_status().json())["status"] == "pending":
        if time.monotonic() > deadline:
            raise TimeoutError("the worker did not answer the warm-up image in time.")
        time.sleep(POLL_SECONDS)
    if task["status"] == "error":
        raise RuntimeError(f"the warm-up image failed: {task['error']}")


def welcome(settings: Settings, key: str | None) -> str:
    """Return what a user needs to know now: where the service is, a key or its file, and a request to paste.

    Give no ``key`` where the text may be kept, as in a log: then it names the file alone.
    """
    url, file = base_url(settings), key_file(settings)
    header = f'-H "X-API-KEY: $(cat {quote(str(file))})"'
    image = quote(f"inputs[0]image.source=@{example_image()}")
    return f"""
Recoq is ready.

  URL       {url}
  API docs  {url}/v0.7/docs
  API key   {key or f"in {file}"}

Try it:

  TASK=$(curl -s {url}/v0.7/recognition/public/{DEMO_MODELS[0]}/inference \\
    {header} -F {image} | tr -dc 0-9)
  curl {url}/v0.7/tasks/$TASK {header}

Ctrl-C stops it; everything is kept in {settings.data_folder}.
"""


def key_file(settings: Settings) -> Path:
    """Return the path of the file that holds the first key."""
    return settings.data_folder / KEY_FILE


def example_image() -> Path:
    """Return the path of an image that the demo models know."""
    return min(IMAGES_FOLDER.glob("*.jpg"))


def base_url(settings: Settings) -> str:
    """Return the URL under which this machine reaches the API."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)
    return f"http://{host}:{settings.port}"
