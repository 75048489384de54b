"""Makes a model folder a public network, specification and version, or brings those up to date; idempotent.

Behind ``recoq publish`` and the demo models of ``recoq up``. The specification switches to a new version only when that
version's network has been deployed and its tensors fit.
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from pathlib import Path
from re import fullmatch
from typing import Any

from api.errors import InvalidRequest
from api.post_processing_checks import check_tensors
from api.services import Services, open_services
from cli.deployments import Say, deploy
from cli.errors import CommandError
from cli.model_folder import ModelFolder, invalid_model, read_model_folder
from cli.public_networks import PublicNetworks
from config.settings import Settings
from store.errors import NotFound, StoreError
from store.records import NetworkRecord, SpecRecord, VersionRecord

DEPLOYMENT_TIMEOUT_SECONDS = 600.0
SLUG = r"[a-z][a-z0-9._-]{0,99}"
VERSIONS_AT_ONCE = 500


class Change(StrEnum):
    """What a publication did; the value completes the sentence that begins with the slug."""

    CREATED = "is published"
    NEW_VERSION = "has a new version"
    SWITCHED_BACK = "runs again an earlier version, the same as this folder"
    DESCRIBED = "has a new name, description or metadata, and the same version"
    NOTHING = "is unchanged"


@dataclass(frozen=True)
class Publication:
    """The outcome of a publication; its text is a sentence that says so."""

    slug: str
    network_slug: str
    version_id: int
    change: Change

    def __str__(self) -> str:
        return f"{self.slug} {self.change.value} (version {self.version_id}, network {self.network_slug})."


def publish_folder(
    settings: Settings,
    folder: Path,
    *,
    slug: str | None = None,
    timeout_seconds: float = DEPLOYMENT_TIMEOUT_SECONDS,
    say: Say = lambda _: None,
) -> Publication:
    """Publish the model in ``folder`` under ``slug`` (by default the folder's name) and wait for its deployment.

    Raises:
        CommandError: if the folder or the slug is not right, the labels are not those of the published
            specification, or the deployment fails; what had been created is removed again.
        StoreError: if a backing service is away.
    """
    slug = folder.resolve().name if slug is None else slug
    if not fullmatch(SLUG, slug):
        raise CommandError(
            f"{slug!r} cannot be a slug: it takes lower-case letters, digits, '.', '_' and '-', and a letter is first."
        )
    model = read_model_folder(folder)
    with closing(open_services(settings)) as services:
        return _Publisher(services, model, slug, say).publish(timeout_seconds)


class _Publisher:
    """One publication of one model."""

    def __init__(self, services: Services, model: ModelFolder, slug: str, say: Say) -> None:
        self._services = services
        self._model = model
        self._slug = slug
        self._say = say
        self._networks = PublicNetworks(services, model, slug)
        self._about: dict[str, Any] = {"name": model.name, "description": model.description, "metadata": model.metadata}

    def publish(self, timeout_seconds: float) -> Publication:
        """Bring about what the folder says and return what had to be done."""
        spec = self._published_spec()
        network = self._deployed_network(timeout_seconds)
        change = Change.NOTHING if spec else Change.CREATED
        spec = spec or self._services.specs.create(None, **self._about, outputs=self._model.outputs, slug=self._slug)
        version = self._same_version(network)
        if version is None:
            version = self._create_version(network)
            change = change if change is Change.CREATED else Change.NEW_VERSION
        elif version.id != spec.current_version_id:
            change = Change.SWITCHED_BACK
        described = self._bring_up_to_date(spec, version, network)
        if described and change is Change.NOTHING:
            change = Change.DESCRIBED
        return Publication(self._slug, str(network.slug), version.id, change)

    def _published_spec(self) -> SpecRecord | None:
        try:
            spec = self._services.specs.get(None, self._slug)
        except NotFound:
            return None
        if spec.outputs != self._model.outputs:
            raise CommandError(
                f"{self._slug} is published with other outputs, and these never change, so that its users can rely on "
                "them. Publish this model under another slug, with --slug."
            )
        return spec

    def _deployed_network(self, timeout_seconds: float) -> NetworkRecord:
        """Return the model's network, deployed and with tensors that fit; a new one that is not is removed."""
        network = self._networks.find_or_create()
        with ExitStack() as undo:
            if network.deployment.status != "success":
                undo.callback(self._remove, network)
                network = deploy(self._services, network, timeout_seconds=timeout_seconds, say=self._say)
            try:
                check_tensors(network.deployment.report or {}, self._model.outputs, self._model.post_processings)
            except InvalidRequest as error:
                raise invalid_model(self._model.path, error.errors or {}) from error
            undo.pop_all()
        return network

    def _remove(self, network: NetworkRecord) -> None:
        """Remove a network; that this fails too must not hide why it was to be removed."""
        try:
            self._networks.remove(network)
        except StoreError as error:
            self._say(f"The network {network.slug} could not be removed: {error}")

    def _same_version(self, network: NetworkRecord) -> VersionRecord | None:
        """Return the version of the specification with this network and the model's post-processings."""
        for listed in self._versions():
            if listed.network_id == network.id:
                version = self._services.versions.get(None, listed.id)
                if version.post_processings == self._model.post_processings:
                    return version
        return None

    def _versions(self) -> Iterator[VersionRecord]:
        for offset in count(step=VERSIONS_AT_ONCE):
            page = self._services.versions.list(None, offset, VERSIONS_AT_ONCE, spec_ref=self._slug)
            yield from page.items
            if offset + VERSIONS_AT_ONCE >= page.total:
                return

    def _create_version(self, network: NetworkRecord) -> VersionRecord:
        return self._services.versions.create(
            None,
            spec_ref=self._slug,
            network_ref=str(network.slug),
            post_processings=self._model.post_processings,
        )

    def _bring_up_to_date(self, spec: SpecRecord, version: VersionRecord, network: NetworkRecord) -> bool:
        """Switch to the version and take over how the model is described; true if that changed a description."""
        described = self._changed_descriptions(spec)
        changes: dict[str, Any] = dict(described)
        if spec.current_version_id != version.id:
            changes["current_version_id"] = version.id
        if changes:
            self._services.specs.update(None, self._slug, **changes)
        network_changes = self._changed_descriptions(network)
        if network_changes:
            self._services.networks.update(None, str(network.slug), **network_changes)
        return bool(described or network_changes)

    def _changed_descriptions(self, record: SpecRecord | NetworkRecord) -> dict[str, Any]:
        return {name: value for name, value in self._about.items() if getattr(record, name) != value}
