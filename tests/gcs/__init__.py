"""Google Cloud Storage for tests: its JSON API on this machine, with faults on order.

    with serve(Store("shelf")) as server:
        server.faults.append(Fault("broken", "POST /upload/.*upload_id="))
        # STORAGE_EMULATOR_HOST=server.url

Real clients (gcsfs, google-cloud-storage, DVC) talk to it. What has to pass on the real thing relies on nothing that
stands only here. `objects` decides, `api` translates requests, `server` speaks HTTP and breaks it.
"""

from gcs.objects import Store
from gcs.server import Fault, Server, serve

__all__ = ["Fault", "Server", "Store", "serve"]
