// SPDX-License-Identifier: Apache-2.0
//
// client.test.mjs -- ackd as a real Connect client sees it, in protobuf and in JSON.
//
// The client is made from our .proto files by Connect's own generator: whatever here disagrees
// with the protocol, with proto3 or with its JSON mapping fails.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";

import { ErrorDetailSchema, Status } from "./gen/ackd/v1/common_pb.js";
import { DatasetService } from "./gen/ackd/v1/dataset_pb.js";
import { LateResults, QueueService } from "./gen/ackd/v1/queue_pb.js";
import { ResultService } from "./gen/ackd/v1/result_pb.js";
import { SessionService } from "./gen/ackd/v1/session_pb.js";
import { NackReason, TaskService, TaskState } from "./gen/ackd/v1/task_pb.js";

const baseUrl = process.env.ACKD_URL;

async function refusal(promise) {
  const error = ConnectError.from(
    await promise.then(() => assert.fail("it was not refused"), (reason) => reason));
  const [detail] = error.findDetails(ErrorDetailSchema);
  return { code: error.code, detail };
}

for (const format of ["protobuf", "json"]) {
  const transport = createConnectTransport({
    baseUrl, httpVersion: "1.1", useBinaryFormat: format === "protobuf",
  });
  const queues = createClient(QueueService, transport);
  const tasks = createClient(TaskService, transport);
  const results = createClient(ResultService, transport);
  const sessions = createClient(SessionService, transport);
  const datasets = createClient(DatasetService, transport);

  describe(`in ${format}`, { timeout: 60_000 }, () => {
    test("a task lives from publish to its result", async () => {
      const queue = `life-${format}`;
      const created = await queues.create({ name: queue });
      assert.equal(created.created, true);
      assert.equal(created.queue.config.leaseMs, 60000n);
      assert.equal(created.queue.config.lateResults, LateResults.SALVAGE);

      const payload = Uint8Array.from({ length: 256 }, (_, i) => i);
      const attributes = { lang: "de", "ключ": "値 \"\\\n" };
      const published = await tasks.publish({
        queue, dataset: "d", tasks: [{ taskId: "a-ü", payload, attributes, priority: 9 }],
      });
      assert.deepEqual([published.stored, published.outcomes[0].taskId], [1, "a-ü"]);

      const leased = await tasks.lease({ queue, maxTasks: 10 });
      assert.equal(leased.tasks.length, 1);
      const [task] = leased.tasks;
      assert.deepEqual(task.payload, payload);
      assert.deepEqual({ ...task.attributes }, attributes);
      assert.deepEqual([task.taskId, task.dataset, task.priority, task.fence, task.deliveries],
        ["a-ü", "d", 9, 1n, 1]);
      assert.equal(task.checkpoint, undefined);

      const result = new TextEncoder().encode("result");
      const acked = await tasks.ack({ items: [{ leaseToken: task.leaseToken, result }] });
      assert.equal(acked.outcomes[0].error, undefined);
      const stored = await results.get({ queue, taskId: "a-ü" });
      assert.deepEqual(stored.result.data, result);
      const { dataset } = await datasets.get({ queue, dataset: "d" });
      assert.deepEqual([dataset.counts.done, dataset.counts.published], [1n, 1n]);
    });

    test("a field that is set to its default is not the same as one that is not set", async () => {
      const queue = `presence-${format}`;
      const { queue: made } = await queues.create({
        name: queue, config: { backoffMinMs: 0n, backoffMaxMs: 0n, dedup: false },
      });
      assert.deepEqual([made.config.backoffMinMs, made.config.dedup], [0n, false]);
      const { queue: changed } = await queues.update({ name: queue, config: { maxFailures: 7 } });
      assert.deepEqual([changed.config.backoffMinMs, changed.config.maxFailures], [0n, 7]);
    });

    test("a session, a checkpoint and a nack", async () => {
      const queue = `session-${format}`;
      await queues.create({ name: queue });
      await tasks.publish({ queue, tasks: [{ taskId: "a" }] });
      const { sessionId, sessionMs } = await sessions.open({ queue, worker: "node" });
      assert.equal(sessionMs, 15000n);
      const first = await tasks.lease({ queue, maxTasks: 1, sessionId });
      const checkpoint = new Uint8Array([0, 255, 1]);
      const nacked = await tasks.nack({
        items: [{
          leaseToken: first.tasks[0].leaseToken, reason: NackReason.PREEMPTED, checkpoint,
        }],
      });
      assert.equal(nacked.outcomes[0].error, undefined);
      const second = await tasks.lease({ queue, maxTasks: 1, sessionId });
      assert.deepEqual(second.tasks[0].checkpoint, checkpoint);
      assert.deepEqual([second.tasks[0].preemptions, second.tasks[0].deliveries], [1, 2]);
      const { task } = await tasks.get({ queue, taskId: "a" });
      assert.deepEqual([task.state, task.sessionId], [TaskState.LEASED, sessionId]);
      assert.equal((await sessions.heartbeat({ sessionId })).leased, 1n);
      assert.equal((await sessions.close({ sessionId })).returned, 1n);
    });

    test("an error has its code and a detail that can be decoded", async () => {
      const { code, detail } = await refusal(queues.get({ name: "missing" }));
      assert.equal(code, Code.NotFound);
      assert.equal(detail.status, Status.QUEUE_NOT_FOUND);
      assert.match(detail.message, /missing/);
    });

    test("a broken limit names its field, the limit and the value", async () => {
      const queue = `limits-${format}`;
      await queues.create({ name: queue });
      const { code, detail } = await refusal(
        queues.update({ name: queue, config: { leaseMs: 999n } }));
      assert.equal(code, Code.InvalidArgument);
      assert.equal(detail.status, Status.INVALID);
      assert.match(detail.field, /lease_ms/);
      assert.equal(detail.value, 999n);
    });

    test("a bad item of a batch is refused alone", async () => {
      const queue = `batch-${format}`;
      await queues.create({ name: queue });
      const reply = await tasks.publish({
        queue, tasks: [{ taskId: "a" }, { taskId: "b", priority: 10 }, { taskId: "c" }],
      });
      assert.deepEqual([reply.stored, reply.refused], [2, 1]);
      assert.equal(reply.outcomes[1].error.status, Status.INVALID);
    });

    test("a long poll gives in before its client's time limit", async () => {
      const queue = `deadline-${format}`;
      await queues.create({ name: queue });
      const reply = await tasks.lease({ queue, maxTasks: 1, waitMs: 60000n }, { timeoutMs: 2000 });
      assert.deepEqual([reply.tasks.length, reply.situation.ready], [0, 0n]);
    });

    test("a long poll that its client aborts takes no task", async () => {
      const queue = `abort-${format}`;
      await queues.create({ name: queue });
      const abort = new AbortController();
      const poll = tasks.lease({ queue, maxTasks: 1, waitMs: 60000n }, { signal: abort.signal });
      const waiters = async () => (await queues.get({ name: queue })).queue.waiters;
      while (await waiters() === 0n);
      abort.abort();
      assert.equal((await refusal(poll)).code, Code.Canceled);
      while (await waiters() !== 0n);
      await tasks.publish({ queue, tasks: [{ taskId: "a" }] });
      const { tasks: [task] } = await tasks.lease({ queue, maxTasks: 1 });
      assert.equal(task.deliveries, 1);
    });

    test("a megabyte there and back", async () => {
      const queue = `large-${format}`;
      await queues.create({ name: queue });
      const payload = new Uint8Array(1 << 20).map((_, i) => i * 7);
      await tasks.publish({ queue, tasks: Array.from({ length: 8 }, () => ({ payload })) });
      const reply = await tasks.lease({ queue, maxTasks: 8 });
      assert.equal(reply.tasks.length, 8);
      for (const task of reply.tasks) assert.deepEqual(task.payload, payload);
    });
  });
}
