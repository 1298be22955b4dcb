"""check_rules.py ROOT RULE: fails with the findings of one rule of rules.py."""
import sys

import rules

root, name = sys.argv[1:]
found = list(getattr(rules, name)(root))
print("\n".join(found) if found else f"{name}: nothing to say")
sys.exit(1 if found else 0)
