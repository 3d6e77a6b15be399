"""Column types of the revisions. Released revisions depend on them: add new ones, never change these."""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

_MYSQL = ("mysql", "mariadb")
_UTF8 = {"charset": "utf8mb4", "collation": "utf8mb4_bin"}

KEY = sa.String().with_variant(mysql.VARCHAR(255, **_UTF8), *_MYSQL)
TEXT = sa.String().with_variant(mysql.LONGTEXT(**_UTF8), *_MYSQL)
BYTES = sa.LargeBinary().with_variant(mysql.LONGBLOB(), *_MYSQL)
TIME = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), *_MYSQL)
NANOSECONDS = sa.BigInteger()
