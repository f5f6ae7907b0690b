"""Print the JSON schema of a grant, to be written to ``grant-v1.schema.json``."""

import json

from consent.credentials.schema import generate

print(json.dumps(generate(), indent=2, ensure_ascii=False))
