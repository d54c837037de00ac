"""Which common packages bring which of the libraries of data and models along: all of them known, or nothing is said."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

# Modules that code imports -> how the packages are called that hold them.
COMMON: Mapping[str, tuple[str, ...]] = {
    "pandas": ("pandas",), "sklearn": ("scikit-learn", "scikit-learn-intelex"), "xgboost": ("xgboost", "xgboost-cpu"),
    "lightgbm": ("lightgbm",), "catboost": ("catboost",), "torch": ("torch",), "tensorflow": ("tensorflow", "tensorflow-cpu"),
    "polars": ("polars",), "joblib": ("joblib",), "scipy": ("scipy",), "numpy": ("numpy",),
}  # fmt: skip
# Packages that bring none of these along, in any version.
ALONE = frozenset({
    "python-dotenv", "python-decouple", "environs", "requests", "requests-toolbelt", "urllib3", "certifi", "idna",
    "charset-normalizer", "pyyaml", "ruamel-yaml", "toml", "tomli", "click", "typer", "rich", "tqdm", "colorama", "tabulate",
    "jinja2", "markupsafe", "attrs", "packaging", "typing-extensions", "python-dateutil", "pytz", "tzdata", "six",
    "pydantic", "pydantic-core", "pydantic-settings", "fastapi", "starlette", "uvicorn", "gunicorn", "hypercorn", "flask",
    "flask-cors", "flask-restful", "werkzeug", "waitress", "httpx", "aiohttp", "aiofiles", "websockets", "python-multipart",
    "email-validator", "orjson", "ujson", "simplejson", "msgpack", "protobuf", "grpcio", "grpcio-tools", "sqlalchemy",
    "alembic", "psycopg2", "psycopg2-binary", "psycopg", "psycopg-binary", "asyncpg", "pymysql", "mysqlclient",
    "mysql-connector-python", "pyodbc", "pymongo", "motor", "redis", "aioredis", "cassandra-driver", "elasticsearch",
    "opensearch-py", "neo4j", "influxdb-client", "clickhouse-driver", "boto3", "botocore", "s3transfer", "minio",
    "azure-storage-blob", "azure-identity", "azure-core", "google-cloud-storage", "google-auth", "cloudpickle", "loguru",
    "structlog", "python-json-logger", "prometheus-client", "prometheus-fastapi-instrumentator", "prometheus-flask-exporter",
    "sentry-sdk", "tenacity", "backoff", "retry", "apscheduler", "schedule", "croniter", "kafka-python", "confluent-kafka",
    "aiokafka", "pika", "paho-mqtt", "celery", "kombu", "rq", "pyjwt", "python-jose", "passlib", "bcrypt", "cryptography",
    "hvac", "slack-sdk", "psutil", "pytest", "pytest-cov", "pytest-asyncio", "pytest-mock", "black", "ruff", "mypy",
    "flake8", "isort", "pre-commit", "omegaconf", "hydra-core", "lxml", "beautifulsoup4", "openpyxl", "xlrd", "pillow",
    "pip", "setuptools", "wheel", "connectorx", "polars", "numpy", "joblib", "fsspec", "s3fs", "gcsfs", "threadpoolctl",
    "opentelemetry-api", "opentelemetry-sdk", "slowapi", "itsdangerous", "dnspython", "greenlet",
})  # fmt: skip
# Packages that bring some of them.
BRINGING: Mapping[str, str] = {
    "scipy": "numpy", "matplotlib": "numpy", "opencv-python": "numpy", "opencv-python-headless": "numpy", "numba": "numpy",
    "pandas": "numpy", "scikit-learn": "numpy scipy joblib", "xgboost": "numpy scipy scikit-learn", "pyspark": "numpy",
    "lightgbm": "numpy scipy scikit-learn joblib", "catboost": "numpy scipy pandas", "torch": "numpy", "torchvision": "torch numpy scipy",
    "seaborn": "numpy scipy pandas", "imbalanced-learn": "numpy scipy joblib scikit-learn", "onnxruntime": "numpy", "onnx": "numpy", "pyarrow": "numpy",
    "statsmodels": "numpy scipy pandas", "shap": "numpy scipy pandas scikit-learn joblib", "streamlit": "numpy pandas",
    "mlflow": "numpy scipy pandas scikit-learn joblib", "category-encoders": "numpy scipy pandas scikit-learn joblib",
}  # fmt: skip
# Extras that bring no more of them.
HARMLESS = frozenset(
    {
        "standard",
        "binary",
        "bcrypt",
        "cryptography",
        "asyncio",
        "email",
        "socks",
        "pool",
        "security",
        "hiredis",
        "dotenv",
    }
)
# Packages of the system with which Python itself is installed.
OF_PYTHON = re.compile(
    r"python3?(?:\.\d+)?(?:-(?:dev|pip|venv|setuptools|wheel|distutils|minimal|full))?|py3-pip|libpython\S*"
)
_WORD = re.compile(r"([A-Za-z0-9][\w.-]*)\s*(?:\[([^\]]*)\])?\s*(?:[=<>!~;@].*)?")


def package(word: str) -> str:
    """The name of a package as it is asked for in a command, "" for one whose extras may bring anything."""
    found = _WORD.fullmatch(word.strip("'\""))
    if found is None or not harmless(found[2] or ""):
        return ""
    return re.sub(r"[-_.]+", "-", found[1]).lower()


def harmless(extras: str) -> bool:
    """Whether the extras of a package bring none of the common libraries."""
    return HARMLESS.issuperset(part.strip() for part in extras.split(",") if part.strip())


def brought(packages: Collection[str]) -> frozenset[str] | None:
    """The packages with all common libraries that come with them; None where one of them is not known."""
    found = set(packages)
    for name in packages:
        if name in BRINGING:
            found.update(BRINGING[name].split())
        elif name not in ALONE and not any(name in held for held in COMMON.values()):
            return None
    return frozenset(found)
