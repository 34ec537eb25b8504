#include "workers/executor/docker/making.h"

#include "workers/executor/docker/container.h"
#include "workers/executor/docker/control.h"

enum {
	ASKING_MS = 90000, /* longer than the engine has for an answer */
	GREETING_MS = 60000,
	GOING_MS = 100, /* until it is looked again whether it has gone */
	GOING_LIMIT_MS = 10000,
};

struct step {
	const char *method;
	char *(*path)(const struct slot *);
	json_t *(*body)(const struct slot *); /* NULL: none */
	void (*agreed)(struct slot *, const json_t *answer);
	void (*missing)(struct slot *); /* answer 404; NULL: a failure */
	bool can_clash; /* answer 409: an earlier container is going */
};

static const struct step steps[SLOT_STATES];
static docker_answered on_answered;

static void
ask(struct slot *s, enum slot_state state)
{
	const struct step *step = &steps[state];
	auto_free char *path = step->path(s);

	slot_enter(s, state, ASKING_MS);
	s->call = docker_ask(s->terms->api, step->method, path,
			     step->body ? step->body(s) : NULL, on_answered, s);
}

/* The engine takes a while to remove a container, and its name with it. */
static void
wait_until_it_has_gone(struct slot *s, const struct error *e)
{
	uint64_t now = loop_now();

	if (!s->going_since)
		s->going_since = now;
	if (now - s->going_since < GOING_LIMIT_MS) {
		slot_enter(s, SLOT_WAITING, GOING_MS);
		return;
	}
	s->going_since = 0;
	slot_fail(s, e);
}

static void
on_answered(void *arg, int status, json_t *answer, const struct error *e)
{
	struct slot *s = arg;
	const struct step *step = &steps[s->state];
	struct error why = { 0 };
	bool ok = docker_agrees(status, answer, e, &why);

	s->call = NULL;
	if (ok)
		step->agreed(s, answer);
	else if (status == 404 && step->missing)
		step->missing(s);
	else if (status == 409 && step->can_clash)
		wait_until_it_has_gone(s, &why);
	else if (!status)
		slot_fail_all(s, &why);
	else
		slot_fail(s, &why);
}

/* The image */

static char *
image_path(const struct slot *s)
{
	auto_free char *name = docker_escape(s->terms->settings.image);

	return copy_format("/images/%s/json", name);
}

static void
on_image(struct slot *s, const json_t *answer)
{
	struct slot_terms *t = s->terms;
	const char *id = json_text(answer, "Id");

	free(s->image);
	s->image = copy(str_of(id));
	if (id && t->lacking && !strcmp(id, t->lacking) &&
	    loop_now() < t->lacking_until)
		slot_lacks_program(s);
	else
		ask(s, SLOT_LOOKING);
}

static void
on_no_image(struct slot *s)
{
	const char *image = s->terms->settings.image;
	struct error e = { 0 };

	fail_with(&e, ERR_NOT_SET_UP,
		  "the engine has no image %s: build it with docker build -f "
		  "docker/Dockerfile.cli-runtime -t %s .",
		  image, image);
	slot_fail_all(s, &e);
}

/* An earlier container of its name */

static char *
name_path(const struct slot *s)
{
	return copy_format("/containers/%s/json", s->name);
}

static char *
clearing_path(const struct slot *s)
{
	return copy_format("/containers/%s?force=1&v=1", s->name);
}

static void
make(struct slot *s)
{
	ask(s, mounts_volume(&s->mounts) ? SLOT_COMPARING : SLOT_CREATING);
}

static void
on_earlier(struct slot *s, const json_t *answer)
{
	struct error e = { 0 };

	if (container_is_ours(s, answer)) {
		ask(s, SLOT_CLEARING);
		return;
	}
	fail_with(&e, ERR_NOT_SET_UP,
		  "there is a container %s, which is not of this bridge: "
		  "remove it, or choose another name with the variable that "
		  "ends with _DOCKER_NAME_PREFIX",
		  s->name);
	slot_fail(s, &e);
}

static void
on_cleared(struct slot *s, const json_t *answer)
{
	make(s);
}

/* A volume of its name, which the engine would take as it is */

static char *
volume_path(const struct slot *s)
{
	return copy_format("/volumes/%s", mounts_volume(&s->mounts)->volume);
}

static void
create(struct slot *s)
{
	ask(s, SLOT_CREATING);
}

static void
on_volume(struct slot *s, const json_t *answer)
{
	const struct mount *m = mounts_volume(&s->mounts);
	const char *device =
		json_text(json_object_get(answer, "Options"), "device");
	struct error e = { 0 };

	if (device && !strcmp(device, m->source)) {
		create(s);
		return;
	}
	fail_with(&e, ERR_NOT_SET_UP,
		  "there is a volume %s with another folder, %s: remove it "
		  "(docker volume rm), or choose another name with the "
		  "variable that ends with _DOCKER_NAME_PREFIX",
		  m->volume, device ? device : "the engine's own");
	slot_fail(s, &e);
}

/* The container */

static char *
creation_path(const struct slot *s)
{
	return copy_format("/containers/create?name=%s", s->name);
}

static char *
start_path(const struct slot *s)
{
	return copy_format("/containers/%s/start", s->container);
}

static void
on_created(struct slot *s, const json_t *answer)
{
	struct error e = { 0 };

	s->going_since = 0;
	s->container = copy(str_of(json_text(answer, "Id")));
	slot_enter(s, SLOT_ATTACHING, ASKING_MS);
	if (!s->container)
		fail_with(&e, ERR_UPSTREAM, "docker: a container without id");
	else if (control_begin(s, &e))
		return;
	slot_fail(s, &e);
}

void
making_attached(struct slot *s)
{
	ask(s, SLOT_STARTING);
}

static void
on_started(struct slot *s, const json_t *answer)
{
	if (!s->control_process) {
		control_ended(s);
		return;
	}
	slot_enter(s, SLOT_GREETING, GREETING_MS);
	control_greet(s);
}

/* clang-format off */
static const struct step steps[SLOT_STATES] = {
	[SLOT_CHECKING]  = { "GET", image_path, .agreed = on_image, .missing = on_no_image },
	[SLOT_LOOKING]   = { "GET", name_path, .agreed = on_earlier, .missing = make },
	[SLOT_CLEARING]  = { "DELETE", clearing_path, .agreed = on_cleared, .missing = make, .can_clash = true },
	[SLOT_COMPARING] = { "GET", volume_path, .agreed = on_volume, .missing = create },
	[SLOT_CREATING]  = { "POST", creation_path, container_describe, .agreed = on_created, .missing = on_no_image, .can_clash = true },
	[SLOT_STARTING]  = { "POST", start_path, .agreed = on_started },
};
/* clang-format on */

void
making_begin(struct slot *s)
{
	ask(s, SLOT_CHECKING);
}
