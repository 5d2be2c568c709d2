/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ackd/ackd.h -- libackd, the C library for ackd, a work-queue broker with lease semantics. This
 * header includes the others; `pkg-config --cflags --libs ackd` finds it. To link it statically,
 * name libackd.a and the libraries below it: `pkg-config --libs libcurl jansson libprotobuf-c
 * libpq`, -pthread and -lm.
 *
 * A guided tour: one task from connect to drain
 *
 *   1. Connect. A worker belongs to one queue of one broker.
 *
 *          struct ackd_worker_options options;
 *          ackd_worker_options_init(&options);
 *          options.url = "http://127.0.0.1:7333";
 *          options.queue = "pages";
 *          options.handler = read_page;
 *          options.handle_signals = true;
 *          ackd_worker_new(&options, &worker, &error);
 *
 *   2. Take a task. ackd_worker_run leases tasks ahead of need and calls your handler with each; no
 *      other worker has the task while you hold its lease.
 *
 *          static enum ackd_verdict read_page(struct ackd_task *task, void *context)
 *          {
 *              char *text = ocr(task->payload.data, task->payload.size);
 *              if (text == NULL)
 *                  return ackd_task_fail(task, "no text in the image");
 *
 *   3. Keep it. Nothing to do: a thread of the worker sends heartbeats, however long the handler
 *      takes. Should the lease be lost all the same, ackd_task_should_stop says so. That a long
 *      handler lives does not show that it moves: ackd_task_progress at each step does.
 *
 *   4. Commit. The result goes to the worker's sink (the broker itself, files, PostgreSQL) under
 * the task's ID.
 *
 *              ackd_task_set_result(task, text, strlen(text));
 *
 *   5. Ack. By returning. First the result is committed, then the task is acked. If the worker is
 *      killed in between, the next one finds the result and only acks.
 *
 *              return ACKD_DONE;
 *          }
 *
 *   6. Drain. On SIGTERM the worker takes no more and gives back what it has not begun. A long
 *      handler looks at ackd_task_should_stop now and then, saves what it has by
 *      ackd_task_checkpoint, and returns ackd_task_release(task, 0); the next delivery goes on from
 *      `task->checkpoint`.
 *
 * The whole program is examples/smallest.c. To publish, to look at queues or to lease by hand:
 * ackd/client.h, examples/manual.c. To list what the broker holds, and to operate it: ackd/admin.h.
 *
 * Rules for callers
 *   Threads. Clients and workers may be used from any thread, several at once. A task belongs to
 *     its handler, on any of its threads, until the handler returns.
 *   Fork. Neither clients nor workers survive fork: make them in the child. fork + exec is fine.
 *   Signals. No signal handler is installed unless `handle_signals` asks for it; the library's
 *     threads block all signals. ackd_worker_drain is async-signal-safe. With an https URL ignore
 *     SIGPIPE, as for every TLS library.
 *   Memory. What a function returns is freed by the function that its header names; what you pass
 * in stays yours and is copied, but for a sink, which the worker takes over. Errors. No call
 * aborts, exits or prints. See ackd/error.h. Structs that you fill in begin with their size: use
 * the _init function, or
 *     `{.size = sizeof options}`, so that your program still runs with a newer library.
 *   Proxies of the environment (http_proxy) are not used.
 */
#ifndef ACKD_H
#define ACKD_H

#include "ackd/admin.h"
#include "ackd/client.h"
#include "ackd/error.h"
#include "ackd/sink.h"
#include "ackd/version.h"
#include "ackd/worker.h"

#endif
