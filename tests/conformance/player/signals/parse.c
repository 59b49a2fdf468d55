/* parse.c - reading a signal history: a step a line. */
#include <string.h>

#include "history.h"

/* How a step is written: what each word behind its name is.  P the actor, Q the other process,
 * N a name, R a reference, W a reason or a text, O on or off; then perhaps the word `flag`. */
static const struct form {
    const char *name, *shape, *flag, *usage;
} forms[] = {
    [STEP_SPAWN] = { "spawn", "Q", "trap", "P [trap]" },
    [STEP_SPAWN_LINK] = { "spawn_link", "PQ", "trap", "P Q [trap]" },
    [STEP_SPAWN_MONITOR] = { "spawn_monitor", "PQ", "trap", "P Q [trap]" },
    [STEP_LINK] = { "link", "PQ", NULL, "P Q" },
    [STEP_UNLINK] = { "unlink", "PQ", NULL, "P Q" },
    [STEP_MONITOR] = { "monitor", "PQ", NULL, "P Q" },
    [STEP_MONITOR_NAME] = { "monitor_name", "PN", NULL, "P N" },
    [STEP_DEMONITOR] = { "demonitor", "PR", "flush", "P mK [flush]" },
    [STEP_TRAP] = { "trap", "PO", NULL, "P on|off" },
    [STEP_EXIT] = { "exit", "PW", NULL, "P REASON" },
    [STEP_ERROR] = { "error", "PW", NULL, "P REASON" },
    [STEP_RETURN] = { "return", "P", NULL, "P" },
    [STEP_EXIT2] = { "exit2", "PQW", NULL, "P Q REASON" },
    [STEP_SEND] = { "send", "PQW", NULL, "P Q TEXT" },
    [STEP_REGISTER] = { "register", "PN", NULL, "P N" },
    [STEP_UNREGISTER] = { "unregister", "PN", NULL, "P N" },
    [STEP_WHEREIS] = { "whereis", "N", NULL, "N" },
    [STEP_SEND_NAME] = { "send_name", "PNW", NULL, "P N TEXT" },
    [STEP_ALIAS] = { "alias", "P", "reply", "P [reply]" },
    [STEP_UNALIAS] = { "unalias", "PR", NULL, "P aK" },
    [STEP_SEND_ALIAS] = { "send_alias", "PRW", NULL, "P aK TEXT" },
    [STEP_ALIVE] = { "alive", "Q", NULL, "P" },
};

/* Takes one word of the step as what the form says it is. */
static bool read_word(struct source *source, struct step *step, char shape, const char *word)
{
    switch (shape) {
    case 'P': step->actor = word; break;
    case 'Q': step->object = word; break;
    case 'N': step->name = word; break;
    case 'R': step->ref = word; break;
    case 'W': step->word = word; break;
    case 'O':
        step->flag = strcmp(word, "on") == 0;
        if (!step->flag && strcmp(word, "off") != 0)
            return source_complain(source, "'%s' should be on or off", word);
        break;
    default: break;
    }
    return true;
}

static struct step *read_step(struct source *source, const char *line)
{
    struct words words = source_words(source, line);
    struct step *step = pool_alloc(source->pool, sizeof *step);
    *step = (struct step){ .line = source->line, .text = line };
    size_t kind = 0, count = sizeof forms / sizeof *forms;
    while (kind < count && strcmp(forms[kind].name, words.word[0]) != 0) kind++;
    if (kind == count) {
        source_complain(source, "there is no step '%s'", words.word[0]);
        return NULL;
    }
    const struct form *form = &forms[kind];
    step->kind = (enum step_kind)kind;
    size_t least = 1 + strlen(form->shape);
    bool flag = words.count == least + 1 && form->flag != NULL &&
                strcmp(words.word[least], form->flag) == 0;
    if (words.count != least && !flag) {
        source_complain(source, "'%s' should be %s %s", line, form->name, form->usage);
        return NULL;
    }
    step->flag = flag;
    for (size_t i = 1; i < least; i++) {
        if (!read_word(source, step, form->shape[i - 1], words.word[i])) return NULL;
    }
    return step;
}

bool history_read(struct step **ret_steps, const char *path, struct pool *pool)
{
    struct source source;
    struct step *steps = NULL, **end = &steps;
    if (!source_open(&source, path, pool)) return false;
    for (char *line = source_line(&source); line != NULL; line = source_line(&source)) {
        *end = read_step(&source, line);
        if (*end == NULL) return false;
        end = &(*end)->next;
    }
    *ret_steps = steps;
    return true;
}
