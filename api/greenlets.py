"""Makes the standard library of this process cooperative when it is imported, which must come before all else.

Each connection is a greenlet then, which costs some kilobytes and no thread, so that thousands of clients may wait for
tasks or send slowly. Views, SQL and Redis are written as for threads, and know nothing of it.
"""

from gevent import monkey

monkey.patch_all()
