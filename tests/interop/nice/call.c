/* Two libnice agents, force-relay, one component each: 50 datagrams both ways.
 *
 * usage: call HOST PORT udp|tcp USER   (the password comes on stdin) */
#include <nice/agent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { count = 50, patience_seconds = 30 };

typedef struct {
  NiceAgent* agent;
  guint stream;
  gboolean gathered, ready;
  int received;
} End;

static GMainLoop* loop;
static End ends[2];

static void fail(const char* what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

static gboolean too_long(gpointer data) {
  (void)data;
  fail("no call in time");
  return FALSE;
}

static End* end_of(NiceAgent* agent) { return &ends[agent == ends[0].agent ? 0 : 1]; }

static void send_number(End* end, int number) {
  char text[32];
  int size = snprintf(text, sizeof text, "%d", number);
  if (nice_agent_send(end->agent, end->stream, 1, (guint)size, text) != size) fail("send");
}

/* Ping-pong: the first end sends n, the other answers n, and so on. */
static void on_data(NiceAgent* agent, guint stream, guint component, guint size, gchar* data,
                    gpointer user) {
  End* end = end_of(agent);
  char expected[32];
  int length = snprintf(expected, sizeof expected, "%d", end->received);
  (void)stream, (void)component, (void)user;
  if ((guint)length != size || memcmp(data, expected, size) != 0) fail("lost or out of order");
  end->received++;
  if (end == &ends[1]) send_number(end, end->received - 1);
  if (end == &ends[0] && end->received < count) send_number(end, end->received);
  if (ends[0].received == count) g_main_loop_quit(loop);
}

static void exchange_descriptions(void) {
  for (int i = 0; i < 2; i++) {
    gchar *user, *password;
    End *from = &ends[i], *to = &ends[1 - i];
    nice_agent_get_local_credentials(from->agent, from->stream, &user, &password);
    nice_agent_set_remote_credentials(to->agent, to->stream, user, password);
    GSList* candidates = nice_agent_get_local_candidates(from->agent, from->stream, 1);
    if (!candidates) fail("no relay candidate");
    for (GSList* item = candidates; item; item = item->next) {
      if (((NiceCandidate*)item->data)->type != NICE_CANDIDATE_TYPE_RELAYED) fail("not a relay");
    }
    if (nice_agent_set_remote_candidates(to->agent, to->stream, 1, candidates) < 1) fail("candidates");
    g_slist_free_full(candidates, (GDestroyNotify)nice_candidate_free);
    g_free(user);
    g_free(password);
  }
}

static void on_gathered(NiceAgent* agent, guint stream, gpointer user) {
  (void)stream, (void)user;
  end_of(agent)->gathered = TRUE;
  if (ends[0].gathered && ends[1].gathered) exchange_descriptions();
}

static void on_state(NiceAgent* agent, guint stream, guint component, guint state, gpointer user) {
  (void)stream, (void)component, (void)user;
  if (state == NICE_COMPONENT_STATE_FAILED) fail("ICE failed");
  if (state != NICE_COMPONENT_STATE_READY || end_of(agent)->ready) return;
  end_of(agent)->ready = TRUE;
  if (ends[0].ready && ends[1].ready) send_number(&ends[0], 0);
}

static void open_end(End* end, gboolean controlling, char** argv, const char* password) {
  end->agent = nice_agent_new(g_main_loop_get_context(loop), NICE_COMPATIBILITY_RFC5245);
  g_object_set(end->agent, "controlling-mode", controlling, "force-relay", TRUE, "upnp", FALSE,
               "ice-tcp", FALSE, NULL);
  g_signal_connect(end->agent, "candidate-gathering-done", G_CALLBACK(on_gathered), NULL);
  g_signal_connect(end->agent, "component-state-changed", G_CALLBACK(on_state), NULL);
  end->stream = nice_agent_add_stream(end->agent, 1);
  NiceRelayType type = strcmp(argv[3], "tcp") == 0 ? NICE_RELAY_TYPE_TURN_TCP : NICE_RELAY_TYPE_TURN_UDP;
  if (!nice_agent_set_relay_info(end->agent, end->stream, 1, argv[1], (guint)atoi(argv[2]), argv[4],
                                 password, type)) {
    fail("relay");
  }
  nice_agent_attach_recv(end->agent, end->stream, 1, g_main_loop_get_context(loop), on_data, NULL);
}

static void on_closed(GObject* agent, GAsyncResult* result, gpointer open) {
  (void)agent, (void)result;
  if (--*(int*)open == 0) g_main_loop_quit(loop);
}

int main(int argc, char** argv) {
  char password[256];
  if (argc != 5 || !fgets(password, sizeof password, stdin)) fail("usage: call HOST PORT udp|tcp USER");
  password[strcspn(password, "\n")] = 0;
  loop = g_main_loop_new(NULL, FALSE);
  g_timeout_add_seconds(patience_seconds, too_long, NULL);
  open_end(&ends[0], TRUE, argv, password);
  open_end(&ends[1], FALSE, argv, password);
  for (int i = 0; i < 2; i++) {
    if (!nice_agent_gather_candidates(ends[i].agent, ends[i].stream)) fail("gathering");
  }
  g_main_loop_run(loop);

  /* Gives the allocations back with Refresh, lifetime 0. */
  int open = 2;
  for (int i = 0; i < 2; i++) nice_agent_close_async(ends[i].agent, on_closed, &open);
  g_main_loop_run(loop);
  printf("%d of %d\n", 2 * count, 2 * count);
  return 0;
}
