package sqlstore

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// Types are the names of types, and how a table's definition ends.
type Types struct {
	Key, Text, Long, Double, Time string
	End                           string
}

// Schema are the statements that make the tables and views of the first version.
func Schema(t Types) []string {
	replace := strings.NewReplacer("KEY", t.Key, "LONG", t.Long, "TEXT", t.Text, "DOUBLE", t.Double, "TIME", t.Time,
		"END", t.End)
	var statements []string
	for _, s := range firstSchema {
		statements = append(statements, replace.Replace(s))
	}
	return statements
}

// firstSchema has the names of types in capitals.
var firstSchema = [...]string{
	`create table if not exists disagg_runs (
		run_id KEY not null primary key, job_id TEXT not null, cluster TEXT not null, user_name TEXT not null,
		hosts TEXT not null, gpu TEXT not null, gpu_name TEXT not null, driver TEXT not null, engine TEXT not null,
		commit_hash TEXT not null, branch TEXT not null, image TEXT not null, run_dir TEXT not null, tool TEXT not null,
		tags TEXT not null, note TEXT not null, first_at TIME not null
	) END`,
	`create table if not exists disagg_cases (
		case_id KEY not null primary key, test_id TEXT not null, case_name TEXT not null, mode TEXT not null,
		model TEXT not null, recipe TEXT not null, ctx_servers int not null, gen_servers int not null, gpus int not null
	) END`,
	`create table if not exists disagg_results (
		id KEY not null primary key, digest KEY not null, run_id KEY not null, case_id KEY not null,
		series_id KEY not null, series TEXT not null, measured_at TIME not null, measured_ns bigint not null,
		point int not null, concurrency int not null, gpus int not null, input_length int not null,
		output_length int not null, successful int not null, failed int not null, invalid TEXT not null,
		body LONG not null,
		foreign key (run_id) references disagg_runs (run_id), foreign key (case_id) references disagg_cases (case_id)
	) END`,
	`create index disagg_results_by_series on disagg_results (series_id, measured_ns)`,
	`create table if not exists disagg_metrics (
		result_id KEY not null, name KEY not null, value DOUBLE not null, primary key (result_id, name),
		foreign key (result_id) references disagg_results (id)
	) END`,
	`create or replace view disagg_valid_results as select * from disagg_results where invalid = ''`,
	`create or replace view disagg_valid_metrics as
		select r.id as result_id, r.measured_at, r.run_id, c.case_name, c.test_id, c.model, c.mode, u.cluster,
			r.concurrency, r.gpus, r.series, m.name, m.value
		from disagg_results r
			join disagg_metrics m on m.result_id = r.id
			join disagg_cases c on c.case_id = r.case_id
			join disagg_runs u on u.run_id = r.run_id
		where r.invalid = ''`,
}

// CheckURL tells whether a URL names a server, a user and a database, and has only options that are known; of one with
// values only those are good. Credentials are always known.
func CheckURL(u *url.URL, options map[string][]string) error {
	database := strings.TrimPrefix(u.Path, "/")
	switch {
	case u.Host == "" && u.Query().Get("socket") == "":
		return fmt.Errorf("it names no host")
	case u.User.Username() == "":
		return fmt.Errorf("it names no user")
	case database == "" || strings.Contains(database, "/"):
		return fmt.Errorf("it names no database")
	}
	for key, values := range u.Query() {
		good, known := options[key]
		switch {
		case key == "password_env" || key == "password_file":
		case !known:
			return fmt.Errorf("unknown option %q", key)
		case len(good) > 0 && !slices.Contains(good, values[0]):
			return fmt.Errorf("%s is %q: want one of %s", key, values[0], strings.Join(good, ", "))
		}
	}
	return nil
}

// Address is a URL's host with its port, or the usual one.
func Address(u *url.URL, port string) string {
	if u.Port() != "" {
		port = u.Port()
	}
	return net.JoinHostPort(u.Hostname(), port)
}
