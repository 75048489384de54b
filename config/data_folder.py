"""What Recoq makes in its data folder, by name."""

DATABASE_FILE = "recoq.db"  # SQLite adds files whose names begin with it
KEY_FILE = "api-key"
LOCK_FILE = "lock"
REDIS_FOLDER = "redis"
WEIGHTS_FOLDER = "weights"
WEIGHTS_CACHE_FOLDER = "weights-cache"


def is_ours(name: str) -> bool:
    """Tell whether this is the name of something that Recoq makes there."""
    return name in (KEY_FILE, LOCK_FILE, REDIS_FOLDER, WEIGHTS_FOLDER, WEIGHTS_CACHE_FOLDER) or name.startswith(
        DATABASE_FILE
    )
