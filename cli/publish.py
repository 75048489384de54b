"""``recoq publish``: makes a model folder public in the service whose settings are in the environment."""

from dataclasses import asdict
from pathlib import Path

import click

from cli.downloads import download
from cli.embedded_redis import with_running_redis
from cli.model_folder import DOWNLOADED_FILE, missing_download
from cli.printing import json_option, print_json
from cli.publishing import DEPLOYMENT_TIMEOUT_SECONDS, publish_folder
from config.private_files import keep_private
from config.settings import read_settings
from store.migrate import require_current_schema

__all__ = ["publish", "publish_folder"]


@click.command(short_help="Make a model folder public, or bring it up to date.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--slug", help="What the model is called in URLs.  [default: the folder's name]")
@click.option(
    "--download", "fetch", is_flag=True, help="Fetch the weights first, if they are missing and model.json says whence."
)
@click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=DEPLOYMENT_TIMEOUT_SECONDS,
    show_default=True,
    help="How many seconds to wait for a worker to deploy the network.",
)
@json_option
def publish(folder: Path, slug: str | None, timeout_seconds: float, *, fetch: bool, as_json: bool) -> None:
    """Make the model in FOLDER public: every key may run it, under its slug.

    Publish the folder again after changing it: new weights, preprocessing or post-processings become a new version,
    and the slug switches to it once a worker has deployed it. What is the same is left alone.

    Example:  recoq publish models/hot-dogs --slug hot-dogs-v2
    """
    settings = with_running_redis(read_settings())
    require_current_schema(settings.database_url)  # before anything is fetched or copied
    if fetch:
        source = missing_download(folder)
        if source is not None:
            click.echo(f"Downloading {source.weights} from {source.url}", err=True)
            download(source, folder / DOWNLOADED_FILE, max_bytes=settings.max_upload_bytes)
    keep_private(settings.data_folder)  # not before: the download belongs to the user's folder
    outcome = publish_folder(settings, folder, slug=slug, timeout_seconds=timeout_seconds, say=_say)
    if as_json:
        print_json({**asdict(outcome), "change": outcome.change.name.lower()})
    else:
        click.echo(str(outcome))


def _say(message: str) -> None:
    click.echo(message, err=True)
