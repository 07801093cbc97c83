"""What a role that may only read could still leave behind in a PostgreSQL that nobody closed."""

LARGE_OBJECTS = (
    "select lo_create(0)",
    "select lo_creat(-1)",
    "select lo_from_bytea(0, 'kept by a reader')",
    "select lo_import('/etc/hostname')",
    "select lo_put(1, 0, 'more')",
    "select lo_open(1, 131072)",
    "select lowrite(0, 'more')",
    "select lo_unlink(1)",
)
