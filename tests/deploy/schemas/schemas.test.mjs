// SPDX-License-Identifier: Apache-2.0
//
// schemas.test.mjs -- every object of rendered/*.json against the schema of its kind.
//
// The schemas check types and what must be there, but let fields pass that they do not know, as the
// API server would drop them: `limit:` for `limits:` and the pod has none. So the validator is given
// an object that remembers what was read of it: a field that the schema never looks at is one that
// it does not have.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

// apiVersion -> the module that has its kinds.
const MODULES = {
    v1: "kubernetes-models/v1",
    "apps/v1": "kubernetes-models/apps/v1",
    "batch/v1": "kubernetes-models/batch/v1",
    "networking.k8s.io/v1": "kubernetes-models/networking.k8s.io/v1",
    "policy/v1": "kubernetes-models/policy/v1",
    "scheduling.k8s.io/v1": "kubernetes-models/scheduling.k8s.io/v1",
    "keda.sh/v1alpha1": "@kubernetes-models/keda/keda.sh/v1alpha1",
    "cloud.google.com/v1": "@kubernetes-models/gke/cloud.google.com/v1",
    "monitoring.coreos.com/v1": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
};

// Fields that Kubernetes has and the packages of these versions lack.
const LACKING = new Set(["PriorityClass/description"]);

/** `value`, but for each field that is read its path is added to `seen`. */
function watched(value, path, seen) {
    if (value === null || typeof value !== "object")
        return value;
    return new Proxy(value, {
        get(target, name) {
            if (typeof name === "string" && Object.hasOwn(target, name)) {
                seen.add(`${path}/${name}`);
                return watched(target[name], `${path}/${name}`, seen);
            }
            return target[name];
        },
    });
}

function paths(value, path = "") {
    if (value === null || typeof value !== "object")
        return [];
    return Object.entries(value).flatMap(
        ([name, inner]) => [`${path}/${name}`, ...paths(inner, `${path}/${name}`)]);
}

/** What is wrong with it, a line each. */
async function complaints(object) {
    const module = MODULES[object.apiVersion];
    const model = module && (await import(module))[object.kind];
    if (!model)
        return [`there is no schema for ${object.apiVersion} ${object.kind}`];
    const seen = new Set();
    try {
        // Not on `new model(object)`, whose constructor reads and copies everything.
        model.prototype.validate.call(watched(object, "", seen));
    } catch (error) {
        return [error.message];
    }
    return paths(object).filter((path) => !seen.has(path) && !LACKING.has(object.kind + path))
        .map((path) => `the schema of ${object.kind} has no ${path}`);
}

for (const file of readdirSync("rendered").filter((name) => name.endsWith(".json"))) {
    for (const object of JSON.parse(readFileSync(`rendered/${file}`, "utf8"))) {
        test(`${file}: ${object.kind} ${object.metadata.name} is as its schema wants it`,
            async () => assert.deepEqual(await complaints(object), []));
    }
}

test("a field of the wrong type is found", async () => {
    const object = { apiVersion: "batch/v1", kind: "Job", metadata: { name: "a" },
        spec: { parallelism: "3", template: { spec: { containers: [{ name: "a" }] } } } };
    assert.match((await complaints(object)).join(), /parallelism must be integer/);
});

test("a field that no schema has is found, however deep", async () => {
    const object = { apiVersion: "batch/v1", kind: "Job", metadata: { name: "a" },
        spec: { template: { spec: { containers: [
            { name: "a", resources: { limit: { memory: "1Gi" } } }] } } } };
    assert.deepEqual(await complaints(object), [
        "the schema of Job has no /spec/template/spec/containers/0/resources/limit",
        "the schema of Job has no /spec/template/spec/containers/0/resources/limit/memory"]);
});
