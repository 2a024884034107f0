"""The metrics that every process has, whatever it serves."""

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version

from prometheus_client import Counter
from prometheus_client import Gauge
from prometheus_client import Histogram

REQUEST_LABELS = ("transport", "method", "route", "status")

# A route is always a template (`/v1/things/{id}`), never a path: paths would be endless series.
REQUESTS = Counter("requests_total", "Requests answered.", REQUEST_LABELS)
REQUEST_DURATION = Histogram(
    "request_duration_seconds",
    "Seconds from a request's arrival to the end of its answer.",
    REQUEST_LABELS,
    # Closest around 0.5 s, where the alert on the 95th percentile stands.
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 1.0, 2.5, 5.0, 10.0),
)
TOKENS_REFUSED = Counter("tokens_refused_total", "Access tokens that were refused.", ["reason"])
BUILD_INFO = Gauge("build_info", "Always 1; its labels say what runs.", ["version", "python"])


def describe_build() -> None:
    """Fill in what runs; the version is unknown where the service is not installed."""
    try:
        release = version("acme-orders")
    except PackageNotFoundError:
        release = "unknown"
    BUILD_INFO.labels(release, platform.python_version()).set(1)
