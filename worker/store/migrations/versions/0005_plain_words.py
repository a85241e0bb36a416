"""Events have plain names: `seed.fixed` was `seed.mended`, `document.repaired` was `document.mended`.

No column changes. The previous version keeps working, but does not know the new names.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_EVENTS = sa.table("events", sa.column("kind"))
_NAMES = {"seed.mended": "seed.fixed", "document.mended": "document.repaired"}


def upgrade() -> None:
    _rename(_NAMES)


def downgrade() -> None:
    _rename({new: old for old, new in _NAMES.items()})


def _rename(names: dict[str, str]) -> None:
    for old, new in names.items():
        op.execute(_EVENTS.update().where(_EVENTS.c.kind == old).values(kind=new))
