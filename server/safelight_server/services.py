"""What the routes work with: one value that every request finds on its application."""

from dataclasses import dataclass

from aiohttp import web

from safelight.graph.folders import Folders
from safelight_server.database import Database
from safelight_server.dispatcher import Dispatcher
from safelight_server.eventlog import EventLog
from safelight_server.jobs import Jobs
from safelight_server.listing import Listing
from safelight_server.logs import LogBook
from safelight_server.metrics import Metrics
from safelight_server.openai_images import Images
from safelight_server.options import ServeOptions
from safelight_server.security import Policy
from safelight_server.settings import Settings
from safelight_server.sharing import Sharing
from safelight_server.shelf import SchemaShelf
from safelight_server.sockets import Clients
from safelight_server.store import Store
from safelight_server.switches import Switches
from safelight_server.userdata import UserFiles
from safelight_server.webhooks import Webhooks
from safelight_server.workers import Worker
from safelight_server.workflows import Library
from safelight_server.workflows_calls import Calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts of a running server."""

    options: ServeOptions
    policy: Policy
    folders: Folders
    database: Database
    clients: Clients
    shelf: SchemaShelf
    store: Store
    dispatcher: Dispatcher
    jobs: Jobs
    listing: Listing
    webhooks: Webhooks
    log: EventLog
    metrics: Metrics
    worker: Worker
    user: UserFiles
    settings: Settings
    book: LogBook
    library: Library
    calls: Calls
    sharing: Sharing
    images: Images

    @classmethod
    def of(cls, options: ServeOptions, policy: Policy) -> "Services":
        """Put the parts together; nothing is opened or started yet."""
        folders = Folders(options.home, options.models, options.builtin)
        database = Database(options.home / "safelight.db")
        clients = Clients()
        book = LogBook(clients.log)
        shelf = SchemaShelf(options.home / "cache")
        listing = Listing(database)
        webhooks = Webhooks(listing, options.home / "webhook.key", options.webhook_hosts)
        store, metrics = Store(database, webhooks.job_ended), Metrics()
        dispatcher = Dispatcher(store, clients, metrics)
        jobs = Jobs(store, Switches(database), dispatcher, clients, shelf, folders)
        worker = Worker(options.worker_arguments(), dispatcher, shelf, book.write)
        dispatcher.employ(worker)
        library = Library(database, shelf)
        calls = Calls(library, shelf, folders, jobs, listing, store)
        user = UserFiles(options.home / "user" / "default")
        settings = Settings(user)
        return cls(
            options=options,
            policy=policy,
            folders=folders,
            database=database,
            clients=clients,
            shelf=shelf,
            store=store,
            dispatcher=dispatcher,
            jobs=jobs,
            listing=listing,
            webhooks=webhooks,
            log=EventLog(database, store.news),
            metrics=metrics,
            worker=worker,
            user=user,
            settings=settings,
            book=book,
            library=library,
            calls=calls,
            sharing=Sharing(database, library),
            images=Images(library, calls, settings, shelf, folders),
        )


SERVICES: web.AppKey[Services] = web.AppKey("services", Services)


def services_of(request: web.Request) -> Services:
    """Return the parts of the server that a request came to."""
    return request.app[SERVICES]
