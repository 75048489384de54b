"""Finds, makes and removes the public networks of a publication.

The first network of a slug has that slug, the n-th one the slug and ``-n``: a network is immutable in all that counts,
and older versions go on with theirs. Two networks are the same if their files, their preprocessing and the names of
their tensors are; what is there already is not made again.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count

from api.services import Services
from cli.model_folder import ModelFolder
from store.errors import NotFound
from store.records import NetworkRecord


class PublicNetworks:
    """The public networks that a model has under a slug, or may get."""

    def __init__(self, services: Services, model: ModelFolder, slug: str) -> None:
        self._services = services
        self._model = model
        self._slug = slug

    def find_or_create(self) -> NetworkRecord:
        """Return the network that is the same as the model's; if there is none it is made, not yet deployed."""
        checksums = self._model.checksums()
        for slug in self._slugs():
            try:
                network = self._services.networks.get(None, slug)
            except NotFound:
                return self._create(slug)
            if self._is_same(network, checksums):
                return network
        raise AssertionError("Slugs never run out.")

    def remove(self, network: NetworkRecord) -> None:
        """Remove a network and its files."""
        self._services.networks.delete(None, str(network.slug))
        self._services.weights.delete(network.weights_key)

    def _slugs(self) -> Iterator[str]:
        yield self._slug
        yield from (f"{self._slug}-{number}" for number in count(2))

    def _is_same(self, network: NetworkRecord, checksums: dict[str, str]) -> bool:
        model = self._model
        return (
            {file.name: file.sha256 for file in network.files} == checksums
            and network.framework == model.framework
            and network.preprocessing == model.preprocessing
            and network.postprocessings == model.postprocessings
        )

    def _create(self, slug: str) -> NetworkRecord:
        services, model = self._services, self._model
        services.ledger.probe.check()  # nothing could deploy it: known before gigabytes are copied
        with ExitStack() as stack:
            parts = [(name, stack.enter_context((model.path / name).open("rb"))) for name in model.files]
            weights_key, files = services.weights.save(parts, services.settings.max_upload_bytes)
        try:
            return services.networks.create(
                None,
                name=model.name,
                description=model.description,
                metadata=model.metadata,
                framework=model.framework,
                preprocessing=model.preprocessing,
                postprocessings=model.postprocessings,
                weights_key=weights_key,
                files=files,
                slug=slug,
            )
        except BaseException:
            services.weights.delete(weights_key)
            raise
