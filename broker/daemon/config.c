/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.c -- defaults, then the environment, then the flags: the later wins.
 *
 * A list that is given anywhere replaces its default, and in the environment its items are
 * separated by commas.
 */
#include "daemon/config.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/option.h"

#define TEXT_COLUMN 30
#define LINE_COLUMNS 100

static enum status check_tls(const struct config *config, struct error *error);
static enum status set_defaults(struct config *config, struct error *error);
static enum status read_environment(struct config *config, struct error *error);
static enum status read_flags(struct config *config, int argc, char **argv,
                              enum config_wish *ret_wish, struct error *error);

enum status config_read(struct config *ret_config, int argc, char **argv,
                        enum config_wish *ret_wish, struct error *error)
{
    enum status status;

    *ret_config = (struct config){0};
    *ret_wish = CONFIG_RUN;
    status = set_defaults(ret_config, error);
    if (status == STATUS_OK)
        status = read_environment(ret_config, error);
    if (status == STATUS_OK)
        status = read_flags(ret_config, argc, argv, ret_wish, error);
    if (status != STATUS_OK || *ret_wish == CONFIG_HELP || *ret_wish == CONFIG_VERSION)
        return status;
    if (*ret_wish == CONFIG_CHECK && ret_config->store == CONFIG_STORE_MEM)
        return error_set(error, STATUS_INVALID, "--store mem keeps nothing to check");
    if (*ret_config->data_dir == '\0' && ret_config->store != CONFIG_STORE_MEM)
        return error_set(error, STATUS_INVALID,
                         "say where the data shall lie: ackd --data-dir DIR");
    return check_tls(ret_config, error);
}

/* What belongs together is there together. */
static enum status check_tls(const struct config *config, struct error *error)
{
    bool certificate = *config->tls_certificate != '\0';

    if (certificate != (*config->tls_key != '\0'))
        return error_set(error, STATUS_INVALID,
                         "--tls-cert FILE and --tls-key FILE need each other");
    if (!certificate && *config->tls_client_ca != '\0')
        return error_set(error, STATUS_INVALID,
                         "--tls-client-ca needs TLS: give --tls-cert FILE and --tls-key FILE too");
    return STATUS_OK;
}

static enum status set_defaults(struct config *config, struct error *error)
{
    for (size_t i = 0; i < option_count(); i++) {
        enum status status = option_set(option_at(i), config, option_at(i)->fallback, error);

        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static struct config_list *list_of(const struct option *option, struct config *config)
{
    return (void *)((char *)config + option->offset);
}

/* Items up to the next comma; the copy lives as long as the list. */
static enum status add_items(const struct option *option, struct config *config, const char *text,
                             struct error *error)
{
    char *rest = strdup(text);
    char *item;

    if (rest == NULL)
        return error_set(error, STATUS_UNAVAILABLE, "no memory for the environment's --%s",
                         option->flag);
    list_of(option, config)->environment = rest;
    while ((item = strsep(&rest, ",")) != NULL) {
        enum status status = option_set(option, config, item, error);

        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static void forget_list(const struct option *option, struct config *config)
{
    struct config_list *list;

    if (option->kind != OPTION_LIST)
        return;
    list = list_of(option, config);
    free(list->environment);
    *list = (struct config_list){.count = 0};
}

static enum status read_environment(struct config *config, struct error *error)
{
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *option = option_at(i);
        char name[64];
        const char *text;
        enum status status;

        option_environment_name(option, name, sizeof name);
        text = getenv(name);
        if (text == NULL)
            continue;
        forget_list(option, config);
        status = option->kind == OPTION_LIST ? add_items(option, config, text, error)
                                             : option_set(option, config, text, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* "--flag value", "--flag=value", or for a switch "--flag" at argv[*at]; moves *at to its last
 * word. */
static enum status read_flag(char **argv, int *at, const struct option **ret_option,
                             const char **ret_text, struct error *error)
{
    const char *flag = argv[*at];
    size_t length = strcspn(flag, "=");

    if (strncmp(flag, "--", 2) != 0)
        return error_set(error, STATUS_INVALID, "\"%s\" is no flag", flag);
    *ret_option = option_find(flag + 2, length - 2);
    if (*ret_option == NULL)
        return error_set(error, STATUS_INVALID, "there is no flag %.*s", (int)length, flag);
    if (flag[length] == '=')
        *ret_text = flag + length + 1;
    else
        *ret_text = (*ret_option)->kind == OPTION_SWITCH ? "yes" : argv[++*at];
    if (*ret_text == NULL)
        return error_set(error, STATUS_INVALID, "%s needs a value", flag);
    return STATUS_OK;
}

/* Whether the word asks for a text, whatever else is said. */
static bool read_wish(const char *word, enum config_wish *ret_wish)
{
    if (strcmp(word, "--version") == 0)
        *ret_wish = CONFIG_VERSION;
    else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
        *ret_wish = CONFIG_HELP;
    return *ret_wish == CONFIG_HELP || *ret_wish == CONFIG_VERSION;
}

static enum status read_flags(struct config *config, int argc, char **argv,
                              enum config_wish *ret_wish, struct error *error)
{
    const struct option *last_list = NULL;
    const struct option *option = NULL;
    const char *text = NULL;

    for (int i = 1; i < argc; i++) {
        enum status status;

        if (read_wish(argv[i], ret_wish))
            return STATUS_OK;
        if (strcmp(argv[i], "--check") == 0) {
            *ret_wish = CONFIG_CHECK;
            continue;
        }
        status = read_flag(argv, &i, &option, &text, error);
        if (status != STATUS_OK)
            return status;
        if (option->kind == OPTION_LIST && option != last_list) {
            forget_list(option, config); /* its default, or the environment's */
            last_list = option;
        }
        status = option_set(option, config, text, error);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* Prints words from `column` on, and begins new lines there. */
static void print_wrapped(FILE *out, const char *text, int indent)
{
    int column = indent;

    while (*text != '\0') {
        int length = (int)strcspn(text, " ");

        if (column > indent && column + 1 + length > LINE_COLUMNS) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", length, text);
        column += length;
        text += length + (text[length] == ' ');
    }
    fputc('\n', out);
}

static void describe_range(const struct option *option, char *ret_text, size_t size)
{
    struct config defaults = {0};
    struct error ignored = ERROR_NONE;
    char fallback[32];
    char min[32];
    char max[32];

    if (option->max > 0) { /* a number */
        (void)!option_set(option, &defaults, option->fallback, &ignored);
        option_format(option, *(int64_t *)(void *)((char *)&defaults + option->offset), fallback,
                      sizeof fallback);
        option_format(option, option->min, min, sizeof min);
        option_format(option, option->max, max, sizeof max);
        snprintf(ret_text, size, " (default %s; %s to %s)", fallback, min, max);
    } else {
        snprintf(ret_text, size, *option->fallback == '\0' ? "%s" : " (default %s)",
                 option->fallback);
    }
}

static void print_option(FILE *out, const struct option *option)
{
    char head[64];
    char text[400];
    char range[120];

    snprintf(head, sizeof head, "  --%s %s", option->flag,
             option->kind == OPTION_SWITCH ? "" : option->values);
    describe_range(option, range, sizeof range);
    snprintf(text, sizeof text, "%s%s", option->text, range);
    fprintf(out, "%-*s", TEXT_COLUMN, head);
    if (strlen(head) >= TEXT_COLUMN)
        fprintf(out, "\n%*s", TEXT_COLUMN, "");
    print_wrapped(out, text, TEXT_COLUMN);
}

void config_print_help(FILE *out)
{
    static const char *const groups[] = {
        [OPTION_STORAGE] = "Storage",
        [OPTION_NETWORK] = "Network",
        [OPTION_SECURITY] = "Security",
        [OPTION_PROCESS] = "Process",
        [OPTION_LIMITS] = "Limits: the most that a caller may send or keep",
    };
    int group = -1;

    fputs(
        "Usage: ackd --data-dir DIR [FLAG ...]\n"
        "Hands out tasks under lease, and takes them back when the worker vanishes.\n\n"
        "A flag is written --flag VALUE or --flag=VALUE. Each can also be set in the environment:\n"
        "--data-dir as ACKD_DATA_DIR, and so on. A flag wins over the environment.\n",
        out);
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *option = option_at(i);

        if ((int)option->group != group)
            fprintf(out, "\n%s\n", groups[option->group]);
        group = (int)option->group;
        print_option(out, option);
    }
    fputs(
        "\nOther\n"
        "  --check                     read every record of --data-dir, print what is wrong, and\n"
        "                              exit with 1 if anything is; not while a broker uses it\n"
        "  --help                      this text\n"
        "  --version                   the version\n",
        out);
}
