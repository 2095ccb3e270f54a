"""The engine stands alone."""

import subprocess
import sys


def test_the_engine_and_the_policy_parser_load_without_django() -> None:
    code = (
        "import sys; sys.modules['django'] = None\n"
        "import governance.engine.builder, governance.engine.span_sql, governance.engine.sql, governance.rules.policy_yaml\n"
        "outside = ('django', 'guilds', 'appeals', 'config', 'psycopg')\n"
        "loaded = [name for name in sys.modules if name.split('.')[0] in outside and sys.modules[name]]\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
