namespace Silo.Storage.Turso;

/// <summary>One SQL statement and its arguments.</summary>
/// <param name="sql">Exactly one statement.</param>
/// <param name="arguments">The values of <c>?</c>, <c>?1</c>…, in order.</param>
public sealed class TursoStatement(string sql, params IReadOnlyList<TursoValue> arguments)
{
    /// <summary>The statement.</summary>
    public string Sql { get; } = sql;

    /// <summary>The values of <c>?</c>, <c>?1</c>…, in order.</summary>
    public IReadOnlyList<TursoValue> Arguments { get; } = arguments;

    /// <summary>The values of <c>:name</c>, <c>@name</c> and <c>$name</c>, by the name without its first character. Not together with <see cref="Arguments"/>.</summary>
    public IReadOnlyDictionary<string, TursoValue> NamedArguments { get; init; } = new Dictionary<string, TursoValue>();
}

/// <summary>A statement of a batch.</summary>
/// <param name="Statement">What it does.</param>
/// <param name="Condition">When it does it; null for always.</param>
public sealed record TursoBatchStep(TursoStatement Statement, TursoCondition? Condition = null);

/// <summary>When a step of a batch is executed, as the server itself decides.</summary>
public sealed class TursoCondition
{
    private TursoCondition(string type, int? step, IReadOnlyList<TursoCondition> parts) => (Type, Step, Parts) = (type, step, parts);

    /// <summary>No transaction is open. Only servers of version 3 know it.</summary>
    public static TursoCondition IsAutocommit { get; } = new("is_autocommit", null, []);

    /// <summary>The protocol's name of it.</summary>
    internal string Type { get; }

    /// <summary>The step that it is about, counted from 0.</summary>
    internal int? Step { get; }

    /// <summary>What it is made of.</summary>
    internal IReadOnlyList<TursoCondition> Parts { get; }

    /// <summary>The greatest step that it or a part of it is about; -1 without one.</summary>
    internal int LastStep => Math.Max(Step ?? -1, Parts.Count == 0 ? -1 : Parts.Max(part => part.LastStep));

    /// <summary>An earlier step, counted from 0, was executed without an error.</summary>
    public static TursoCondition Ok(int step) => new("ok", step, []);

    /// <summary>An earlier step, counted from 0, failed. sqld takes one that was skipped for failed too, against the protocol.</summary>
    public static TursoCondition Error(int step) => new("error", step, []);

    /// <summary>The opposite.</summary>
    public static TursoCondition Not(TursoCondition condition) => new("not", null, [condition]);

    /// <summary>All of them; true for none.</summary>
    public static TursoCondition All(params IReadOnlyList<TursoCondition> conditions) => new("and", null, conditions);

    /// <summary>One of them at least; false for none.</summary>
    public static TursoCondition Any(params IReadOnlyList<TursoCondition> conditions) => new("or", null, conditions);
}
