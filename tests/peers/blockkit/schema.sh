#!/bin/sh
# The JSON Schema of messages and views from Slack's own TypeScript types (@slack/types), into FOLDER/schema.json.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$1
[ -f "$folder/schema.json" ] && cmp -s "$folder/.installed" "$folder/.schema-of" && cmp -s "$here/surfaces.ts" "$folder/surfaces.ts" && exit 0
cp "$here/surfaces.ts" "$here/tsconfig.json" "$folder/"
cd "$folder"
node node_modules/ts-json-schema-generator/bin/ts-json-schema-generator.js \
    -p tsconfig.json --path surfaces.ts -t Surfaces -o schema.json.new
mv schema.json.new schema.json
cp .installed .schema-of
