// Prints, as a JSON list, the YAML files that ajv refuses: node ajv.cjs SCHEMA FILE…
const fs = require("fs");
const Ajv = require("ajv/dist/2020").default;
const addFormats = require("ajv-formats").default;
const YAML = require("yaml");

const [schemaFile, ...files] = process.argv.slice(2);
const ajv = new Ajv({ allErrors: true, allowUnionTypes: true, strictRequired: false });
addFormats(ajv);
const validate = ajv.compile(JSON.parse(fs.readFileSync(schemaFile, "utf8")));
const refused = files.filter((file) => !validate(YAML.parse(fs.readFileSync(file, "utf8"))));
process.stdout.write(JSON.stringify(refused));
