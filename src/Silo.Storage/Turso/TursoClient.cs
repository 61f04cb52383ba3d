using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Silo.Contracts;

namespace Silo.Storage.Turso;

/// <summary>The way to databases on Turso: the connections that all of them share. Safe for use by many at once.</summary>
public sealed class TursoClient : IDisposable
{
    private readonly TursoOptions _options;
    private readonly TursoSecrets _secrets;
    private readonly HranaConnection _connection;

    /// <summary>Makes a client; nothing is sent yet.</summary>
    public TursoClient(IOptions<TursoOptions> options, TimeProvider time, ILogger<TursoClient> logger)
    {
        _options = options.Value;
        _secrets = new TursoSecrets(_options);
        _connection = new HranaConnection(_options, time, logger);
    }

    /// <summary>An organization's database. Nothing is sent yet: that it is there shows at the first request.</summary>
    /// <param name="organization">Whose it is, for messages.</param>
    /// <param name="address">Where it is.</param>
    /// <param name="secret">The name of the organization's own secret (<see cref="TursoOptions.SecretsDirectory"/>); null for <see cref="TursoOptions.AuthToken"/>.</param>
    public TursoDatabase Open(OrganizationId organization, TursoAddress address, string? secret = null) =>
        new(_connection, new HranaTarget(organization, address, secret, _secrets), _options);

    /// <summary>Ends all connections.</summary>
    public void Dispose() => _connection.Dispose();
}
